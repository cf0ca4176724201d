#!/usr/bin/env bash
# Runs an official conformance suite against a controller that is running in the rig.
#   conformance.sh gateway-api --gateway-class NAME [flags of the suite]
#   conformance.sh inference   --gateway-class NAME [flags of the suite]
# The GatewayClass must exist. Useful flags of the suites: --run-test NAME, --skip-tests A,B,
# --supported-features A,B, --conformance-profiles GATEWAY-HTTP,GATEWAY-GRPC, --debug,
# --cleanup-base-resources=false (a second run then starts at once), and of the test
# binary: -test.timeout 60m, -test.failfast. Summary, log and report go to the results folder.
set -uo pipefail
. "$(dirname "$0")/env.sh"
suite=${1:?gateway-api or inference}; shift
results=$STATE/results/$suite; mkdir -p "$results"
flags=(--report-output "$results/report.yaml" --organization penstock --project penstock
  --url https://github.com/penstock/penstock --contact @penstock)
case $suite in
gateway-api)
  [[ " $* " == *--conformance-profiles* ]] || flags+=(--conformance-profiles GATEWAY-HTTP) ;;
inference)
  # The suite also waits for a Ready pod in the namespace of the Gateways, where many
  # implementations put their proxies. For those that do not: a pod that does nothing.
  kubectl create namespace inference-conformance-infra > /dev/null 2>&1
  kubectl -n inference-conformance-infra create deployment placeholder --image kuberig/idle:1 > /dev/null 2>&1 ;;
*) echo "unknown suite $suite" >&2; exit 2 ;;
esac
begin=$SECONDS
in_rig "$BIN/$suite.test" -test.v -test.run '^TestConformance$' -test.timeout 60m "${flags[@]}" "$@" > "$results/log" 2>&1
rc=$?
# One line per test: direct children of TestConformance.
grep -E '^ {4}--- (PASS|FAIL|SKIP): TestConformance/[^/]+ ' "$results/log" |
  sed -E 's/^ *--- ([A-Z]+): TestConformance\/([^ ]+) \(([0-9.]+)s\)/\1 \2 \3/' > "$results/tests"
echo "passed $(grep -c ^PASS "$results/tests"), failed $(grep -c ^FAIL "$results/tests"), skipped $(grep -c ^SKIP "$results/tests"), $((SECONDS - begin)) s, exit $rc"
grep ^FAIL "$results/tests"
[ -s "$results/tests" ] || tail -n 15 "$results/log" | cut -c 1-250
echo "details: $results"
exit $rc
