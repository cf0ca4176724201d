# Shared settings of the rig; sourced by the other scripts.
RIG=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DEPLOY=$(cd "$RIG/../../../deploy" && pwd)
CACHE=${PENSTOCK_KUBE_CACHE:-$HOME/.cache/kuberig}   # what setup.sh builds
NAME=${KUBERIG_NAME:-kuberig}                        # network namespace; one rig per name
STATE=$CACHE/run/$NAME                               # certificates, kubeconfigs, logs, etcd data, pids
BIN=$CACHE/bin

NODE_IP=10.244.0.1           # the bridge; the API server listens here and on 127.0.0.1
POD_RANGE=10.244.0.0/16      # one address per fake pod, each in a network namespace of its own
LB_RANGE=10.245.0.0/16       # addresses of Services of type LoadBalancer; any of them can be bound
GATEWAY_RANGE=10.246.0.0/16  # for a gateway that binds addresses of its own (any of them can be bound)
SERVICE_RANGE=10.96.0.0/16   # ClusterIPs; .0.1 is the API server, .0.10 the cluster DNS
API=https://127.0.0.1:6443
ACCOUNT_NAMESPACE=envoy-gateway-system
ACCOUNT=inference-gateway-ext-proc

export KUBECONFIG=$STATE/admin.kubeconfig

# in_rig COMMAND...: run inside the rig's network namespace.
in_rig() { nsenter --net="/run/netns/$NAME" -- "$@"; }
kubectl() { in_rig "$BIN/kubectl" "$@"; }
