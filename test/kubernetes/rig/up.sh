#!/usr/bin/env bash
# Starts the rig: network namespace, etcd, kube-apiserver, kube-controller-manager,
# fake kubelet, CRDs. Usage: up.sh [--channel standard|experimental]. Needs root.
set -euo pipefail
. "$(dirname "$0")/env.sh"
CHANNEL=standard
[ "${1:-}" != --channel ] || CHANNEL=$2
[ -x "$BIN/kube-apiserver" ] || { echo "run setup.sh first" >&2; exit 1; }
if [ -e "/run/netns/$NAME" ]; then echo "$NAME is already up (down.sh stops it)" >&2; exit 1; fi
started=$(date +%s.%N)
rm -rf "$STATE"; mkdir -p "$STATE/certs" "$STATE/logs" "$STATE/pids"

# --- network: a bridge for the pods, and ranges whose addresses anyone may bind. The bridge has a
# fixed MAC: otherwise it takes a new one as pods come, and the pods lose the node for seconds.
ip netns add "$NAME"
in_rig ip -batch - <<END
link set lo up
link add kuberig0 address 02:00:00:00:00:01 type bridge
addr add $NODE_IP/16 dev kuberig0
link set kuberig0 up
route add local $LB_RANGE dev lo
route add local $GATEWAY_RANGE dev lo
route add local $SERVICE_RANGE dev lo
END

# --- certificates
cd "$STATE/certs"
new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
sign() { # name subject extensions
  new_key "$1"
  openssl req -new -key "$1.key" -subj "$2" |
    openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile <(echo "$3") -out "$1.crt" 2>/dev/null
}
new_key ca
openssl req -x509 -new -key ca.key -subj /CN=kuberig-ca -days 3650 -addext keyUsage=critical,keyCertSign,cRLSign -out ca.crt
sign apiserver /CN=kube-apiserver "subjectAltName=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$NODE_IP,IP:10.96.0.1"
sign admin /O=system:masters/CN=admin extendedKeyUsage=clientAuth
openssl genrsa -out service-account.key 2048 2>/dev/null

# kubeconfig FILE CREDENTIALS: certificates are embedded, so the file can be copied anywhere.
kubeconfig() {
  cat > "$1" <<END
apiVersion: v1
kind: Config
current-context: kuberig
contexts: [{name: kuberig, context: {cluster: kuberig, user: user}}]
clusters: [{name: kuberig, cluster: {server: "$API", certificate-authority-data: $(base64 -w0 < ca.crt)}}]
users: [{name: user, user: {$2}}]
END
}
kubeconfig "$STATE/admin.kubeconfig" "client-certificate-data: $(base64 -w0 < admin.crt), client-key-data: $(base64 -w0 < admin.key)"

# --- processes
start() { # name command...
  local name=$1 fd; shift
  (
    for fd in /proc/$BASHPID/fd/*; do   # a lock of our caller's must not live on in a daemon
      fd=${fd##*/}; [ "$fd" -le 2 ] || eval "exec $fd>&-"
    done
    exec nsenter --net="/run/netns/$NAME" -- setsid "$@"
  ) > "$STATE/logs/$name.log" 2>&1 < /dev/null &
  echo $! > "$STATE/pids/$name"
}
wait_for() { # what seconds command...
  local what=$1 tries=$(($2 * 10)); shift 2
  until "$@" > /dev/null 2>&1; do
    tries=$((tries - 1)); [ $tries -gt 0 ] || { echo "$what did not start; see $STATE/logs" >&2; exit 1; }
    sleep 0.1
  done
}
cd "$STATE"
start etcd "$BIN/etcd" --data-dir "$STATE/etcd" --unsafe-no-fsync --log-level warn \
  --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
  --listen-peer-urls http://127.0.0.1:2380
start kube-apiserver "$BIN/kube-apiserver" \
  --etcd-servers http://127.0.0.1:2379 --bind-address 0.0.0.0 --secure-port 6443 --advertise-address $NODE_IP \
  --cert-dir "$STATE/certs" --tls-cert-file certs/apiserver.crt --tls-private-key-file certs/apiserver.key \
  --client-ca-file certs/ca.crt --authorization-mode RBAC --allow-privileged \
  --service-cluster-ip-range $SERVICE_RANGE --kubelet-preferred-address-types InternalIP \
  --service-account-issuer https://kubernetes.default.svc.cluster.local \
  --service-account-key-file certs/service-account.key --service-account-signing-key-file certs/service-account.key \
  --profiling=false ${KUBERIG_APISERVER_FLAGS:-}
wait_for kube-apiserver 120 kubectl get --raw /readyz
api_ready=$(date +%s.%N)
start kube-controller-manager "$BIN/kube-controller-manager" \
  --kubeconfig "$STATE/admin.kubeconfig" --leader-elect=false --use-service-account-credentials=false \
  --controllers deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller,job-controller,endpointslice-controller,endpointslice-mirroring-controller,namespace-controller,garbage-collector-controller,serviceaccount-controller,root-ca-certificate-publisher-controller,clusterrole-aggregation-controller,disruption-controller \
  --service-account-private-key-file certs/service-account.key --root-ca-file certs/ca.crt \
  --concurrent-namespace-syncs 20 --concurrent-gc-syncs 20 --secure-port 0 \
  --kube-api-qps 300 --kube-api-burst 500
export BIN
start fakekubelet "$BIN/fakekubelet" --kubeconfig "$STATE/admin.kubeconfig" --work "$STATE/node" \
  --images "${KUBERIG_IMAGES:-$RIG/images.conf}" --node-ip $NODE_IP --pod-range $POD_RANGE --lb-range $LB_RANGE

# --- CRDs, and the account that the gateway has when it is installed
{
  kubectl apply --server-side -k "$DEPLOY/crds"
  [ "$CHANNEL" = standard ] || kubectl apply --server-side --force-conflicts -f "$CACHE/crds/$CHANNEL"
  kubectl wait --for condition=Established --timeout 60s crd --all
  kubectl apply --server-side -f "$DEPLOY/kustomize/base/namespace.yaml" -f "$DEPLOY/kustomize/base/rbac.yaml"
} > "$STATE/logs/objects.log"
token=$(kubectl -n "$ACCOUNT_NAMESPACE" create token "$ACCOUNT" --duration 24h)
(cd certs && kubeconfig "$STATE/controller.kubeconfig" "token: $token")

awk -v a="$started" -v b="$api_ready" -v c="$(date +%s.%N)" \
  'BEGIN { printf "up: API server ready after %.1f s, everything after %.1f s\n", b - a, c - a }'
echo "export KUBECONFIG=$STATE/admin.kubeconfig   # client certificate, cluster admin"
echo "export KUBECONFIG=$STATE/controller.kubeconfig   # bearer token, the rights of deploy/kustomize/base/rbac.yaml"
echo "commands inside the rig: $RIG/enter.sh COMMAND..."
