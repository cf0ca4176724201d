"""The Kubernetes objects of a test, as dictionaries: written as JSON, which YAML includes."""

GATEWAY_CLASS = {
    "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
    "metadata": {"name": "inference-gateway-class"},
    "spec": {"controllerName": "inference.networking.x-k8s.io/gateway-controller"}}

INFERENCE_GROUP = "inference.networking.x-k8s.io"


def gateway_objects(port, name="inference-gateway"):
    """A GatewayClass and a Gateway with one HTTP listener."""
    return [GATEWAY_CLASS, {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": name},
        "spec": {"gatewayClassName": "inference-gateway-class",
                 "listeners": [{"name": "http-llm", "protocol": "HTTP", "port": port}]}}]


def http_route(pool="test-pool", path="/v1", name="inference-route", gateway="inference-gateway",
               **rule):
    """An HTTPRoute with one rule to one pool; `rule` adds fields to the rule."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": gateway}],
                 "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": path}}],
                            "backendRefs": [{"name": pool, "kind": "InferencePool",
                                             "group": INFERENCE_GROUP}], **rule}]}}


def inference_pool(port, name="test-pool", strategy=None, runtime=None, annotations=None):
    """An InferencePool over the Pods labelled app=<name>."""
    annotations = dict(annotations or {})
    if strategy:
        annotations[f"{INFERENCE_GROUP}/routing-strategy"] = strategy
    if runtime:
        annotations[f"{INFERENCE_GROUP}/model-server-runtime"] = runtime
    return {
        "apiVersion": f"{INFERENCE_GROUP}/v1alpha2", "kind": "InferencePool",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"targetPortNumber": port, "selector": {"app": name},
                 "extensionRef": {"name": "inference-gateway-ext-proc"}}}


def inference_model(model, pool="test-pool", targets=None, name=None):
    """An InferenceModel; `targets` is {target model: weight}."""
    spec = {"modelName": model, "criticality": "Critical",
            "poolRef": {"group": INFERENCE_GROUP, "kind": "InferencePool", "name": pool}}
    if targets:
        spec["targetModels"] = [{"name": n, "weight": w} for n, w in targets.items()]
    return {"apiVersion": f"{INFERENCE_GROUP}/v1alpha2", "kind": "InferenceModel",
            "metadata": {"name": name or model.strip("/").replace("/", "-").lower()}, "spec": spec}


def pod(name, address, pool="test-pool", port=None, ready=None):
    """A Pod with an address; `port` overrides the pool's, `ready` sets its Ready condition."""
    metadata = {"name": name, "labels": {"app": pool}}
    if port is not None:
        metadata["annotations"] = {"penstock.dev/target-port": str(port)}
    status = {"podIP": address}
    if ready is not None:
        status["conditions"] = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}


def pool_of(servers, name="test-pool", strategy=None, runtime=None, annotations=None):
    """Route, InferencePool and one Pod for each of the servers, which keep their own ports."""
    return [http_route(name), inference_pool(servers[0].port, name, strategy, runtime, annotations)
            ] + [pod(server.name, server.address, name, server.port) for server in servers]
