"""Releases: how far they are, and how both versions compare."""

from panels import (BLUE, RELEASE, board, graph, row, stat, steps, timeline)

OF = '@G, release=~"$release"'


def versions(metric):
    return [(f"max by (release, version) ({metric}{{{OF}}})", "{{release}} {{version}}")]


PANELS = [
    stat("Under way", "sum(max by (release) (penstock_release_phase{"
         f'{OF}, phase="Progressing"}}))', "none", "Releases that go on by themselves.", width=6),
    stat("Stopped or rolled back", "sum(max by (release) (penstock_release_phase{"
         f'{OF}, phase=~"Holding|RolledBack|Aborted"}}))', "none",
         "They want somebody's look: `penstock get releases -o yaml` has the reasons with figures.",
         steps("green", (1, "red")), width=6),
    stat("Largest share of a candidate",
         f'max(penstock_release_weight_ratio{{{OF}, version="candidate"}})', "percentunit",
         "Of the route's requests.", steps(BLUE), width=6, decimals=0),
    stat("State not written", f"sum(penstock_release_state_write_failures_total{{@G}})", "none",
         "Since the start: what releases came to would not survive a restart.",
         steps("green", (1, "red")), width=6),
    timeline("Phase", f"max by (release, phase) (penstock_release_phase{{{OF}}} == 1)",
             "{{release}} {{phase}}", "When each release was in which phase.",
             [{"type": "value", "options": {"1": {"text": "in it", "color": BLUE, "index": 0}}}]),
    graph("Share of requests", versions("penstock_release_weight_ratio"), "percentunit",
          "What each version gets.", top=1),
    graph("Step", [(f"max by (release) (penstock_release_step{{{OF}}})", "{{release}}")], "none",
          "From 1. It stays until pause and samples of the step are over."),
    graph("Transitions",
          [(f"sum by (release, to) (increase(penstock_release_transitions_total{{{OF}}}[@R])) > 0",
            "{{release}} to {{to}}")], "none", "Steps (`Progressing`) and phases, as they came."),
    row("Both versions, since the step began"),
    graph("Samples", versions("penstock_release_samples"), "none",
          "Requests that ended. A step with few samples decides late: give it more weight."),
    graph("Errors",
          [("max by (release, version) (penstock_release_sample_errors{" + OF + "}) / "
            "max by (release, version) (penstock_release_samples{" + OF + "})",
            "{{release}} {{version}}")], "percentunit",
          "Share of samples. Compared by criteria.errorRate, as a difference."),
    graph("TTFT", versions("penstock_release_ttft_seconds"), "s",
          "Geometric means. Compared by criteria.ttft, as a ratio."),
    graph("TPOT", versions("penstock_release_tpot_seconds"), "s",
          "Geometric means, of streams. Compared by criteria.tpot, as a ratio.", width=12),
    graph("State that was not written",
          [("sum by (instance) (rate(penstock_release_state_write_failures_total{@G}[@R]))",
            "{{instance}}")], "ops", "The file of --release-state: no right, no room.", width=12),
]

RELEASE_BOARD = board("release", "Releases",
                      "New versions that go out in steps, beside the old ones.", [RELEASE], PANELS)
