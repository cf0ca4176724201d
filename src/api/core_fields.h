// The names of the fields of the core kinds, on every level that is read. Little of them is used,
// but all are known (from the types of Kubernetes 1.36, and what older versions wrote): what
// `kubectl get -o yaml` prints is accepted, and a misspelt field is an error as in any other kind.
// Internal to api.

#pragma once

#include <string_view>

namespace gw::api {

inline constexpr std::string_view kPodSpecFields[] = {"activeDeadlineSeconds",
                                                      "affinity",
                                                      "automountServiceAccountToken",
                                                      "containers",
                                                      "dnsConfig",
                                                      "dnsPolicy",
                                                      "enableServiceLinks",
                                                      "ephemeralContainers",
                                                      "hostAliases",
                                                      "hostIPC",
                                                      "hostNetwork",
                                                      "hostPID",
                                                      "hostUsers",
                                                      "hostname",
                                                      "hostnameOverride",
                                                      "imagePullSecrets",
                                                      "initContainers",
                                                      "nodeName",
                                                      "nodeSelector",
                                                      "os",
                                                      "overhead",
                                                      "preemptionPolicy",
                                                      "priority",
                                                      "priorityClassName",
                                                      "readinessGates",
                                                      "resourceClaims",
                                                      "resources",
                                                      "restartPolicy",
                                                      "runtimeClassName",
                                                      "schedulerName",
                                                      "schedulingGates",
                                                      "schedulingGroup",
                                                      "securityContext",
                                                      "serviceAccount",
                                                      "serviceAccountName",
                                                      "setHostnameAsFQDN",
                                                      "shareProcessNamespace",
                                                      "subdomain",
                                                      "terminationGracePeriodSeconds",
                                                      "tolerations",
                                                      "topologySpreadConstraints",
                                                      "volumes",
                                                      "workloadRef"};

// Beside podIP, phase and conditions.
inline constexpr std::string_view kPodStatusFields[] = {"allocatedResources",
                                                        "containerStatuses",
                                                        "ephemeralContainerStatuses",
                                                        "extendedResourceClaimStatus",
                                                        "hostIP",
                                                        "hostIPs",
                                                        "initContainerStatuses",
                                                        "message",
                                                        "nominatedNodeName",
                                                        "observedGeneration",
                                                        "podIPs",
                                                        "qosClass",
                                                        "reason",
                                                        "resize",
                                                        "resourceClaimStatuses",
                                                        "resources",
                                                        "startTime"};

// Beside type and status.
inline constexpr std::string_view kPodConditionFields[] = {
    "lastProbeTime", "lastTransitionTime", "message", "observedGeneration", "reason"};

// Beside type, clusterIP, clusterIPs, externalIPs, externalName, selector and ports.
inline constexpr std::string_view kServiceSpecFields[] = {"allocateLoadBalancerNodePorts",
                                                          "externalTrafficPolicy",
                                                          "healthCheckNodePort",
                                                          "internalTrafficPolicy",
                                                          "ipFamilies",
                                                          "ipFamily",
                                                          "ipFamilyPolicy",
                                                          "loadBalancerClass",
                                                          "loadBalancerIP",
                                                          "loadBalancerSourceRanges",
                                                          "publishNotReadyAddresses",
                                                          "sessionAffinity",
                                                          "sessionAffinityConfig",
                                                          "topologyKeys",
                                                          "trafficDistribution"};

// Beside addresses, conditions and targetRef.
inline constexpr std::string_view kSliceEndpointFields[] = {"deprecatedTopology", "hints",
                                                            "hostname", "nodeName", "zone"};

// Of targetRef, beside kind and name.
inline constexpr std::string_view kObjectReferenceFields[] = {
    "apiVersion", "fieldPath", "namespace", "resourceVersion", "uid"};

}  // namespace gw::api
