#!/usr/bin/env bash
# Builds everything the rig needs from Go modules into $PENSTOCK_KUBE_CACHE (default
# ~/.cache/kuberig). What is already there for the same versions is kept, so it can be run
# again at any time. KUBERIG_RUN is put before the heavy commands, for example
# KUBERIG_RUN="nice -n 19".
set -euo pipefail
. "$(dirname "$0")/env.sh"
mkdir -p "$BIN" "$CACHE/crds"
for tool in go ip nsenter unshare openssl; do
  command -v $tool > /dev/null || { echo "missing: $tool (Debian: iproute2, util-linux, openssl)" >&2; exit 1; }
done
export CGO_ENABLED=0
kubernetes=$(cd "$RIG/kube" && go list -m -f '{{.Version}}' k8s.io/kubernetes)   # v1.36.3
IFS=. read -r major minor _ <<< "${kubernetes#v}"
version=k8s.io/component-base/version
ldflags="-s -w -X $version.gitVersion=$kubernetes -X $version.gitMajor=$major -X $version.gitMinor=$minor"

# build NAME MODULE-DIRECTORY PACKAGE: a static, stripped binary. A stamp of the module's
# files tells whether it is still current.
build() {
  local name=$1 dir=$RIG/$2 package=$3 stamp
  stamp=$(cat "$dir"/*.go "$dir/go.mod" "$dir/go.sum" | sha256sum; go version; echo "$ldflags")
  if [ -x "$BIN/$name" ] && [ "$stamp" = "$(cat "$BIN/.$name.stamp" 2> /dev/null)" ]; then return; fi
  local begin=$SECONDS
  (cd "$dir" && go mod download)
  if [ "${4:-}" = test ]; then
    (cd "$dir" && ${KUBERIG_RUN:-} go test -c -ldflags "$ldflags" -o "$BIN/$name" "$package")
  else
    (cd "$dir" && ${KUBERIG_RUN:-} go build -ldflags "$ldflags" -o "$BIN/$name" "$package")
  fi
  echo "$stamp" > "$BIN/.$name.stamp"
  echo "built $name in $((SECONDS - begin)) s, $(($(stat -c %s "$BIN/$name") / 1000000)) MB"
}

build etcd                    kube go.etcd.io/etcd/server/v3
build kube-apiserver          kube k8s.io/kubernetes/cmd/kube-apiserver
build kube-controller-manager kube k8s.io/kubernetes/cmd/kube-controller-manager
build kubectl                 kube k8s.io/kubernetes/cmd/kubectl
build fakekubelet             fakekubelet .
build echo-basic              suites sigs.k8s.io/gateway-api/conformance/echo-basic
build lwepp                   suites sigs.k8s.io/gateway-api-inference-extension/cmd/lwepp
build gateway-api.test        suites sigs.k8s.io/gateway-api/conformance test
build inference.test          suites sigs.k8s.io/gateway-api-inference-extension/conformance test

# --- CRDs of the experimental channel; the others are in deploy/crds
gateway=$(cd "$RIG/suites" && go list -m -f '{{.Dir}}' sigs.k8s.io/gateway-api)
rm -rf "$CACHE/crds/experimental"
mkdir -p "$CACHE/crds/experimental"
cp "$gateway"/config/crd/experimental/gateway.networking.*.yaml "$CACHE/crds/experimental"
chmod -R u+w "$CACHE/crds/experimental"
echo "ready: $CACHE"
