"""What came of each request against what was done to the replicas: whether it had to be so.

A request may be executed twice only if the first one was lost at a replica that was killed or
answered garbage. It may fail only by the fault of the replica that had it: a 500 that it answered,
or a stream that it began and broke off; or because two such faults met the same request, which is
rare (the gateway sends again what was sent whole once). All else is wrong.
"""

import bisect
import collections
import math
import statistics

BLACK_HOLES = ("garbage", "500", "cut")
# Of requests that met two faults in a row.
UNLUCKY_SHARE_MAX = 0.001
UNLUCKY_MIN = 3
# What black holes draw: never more than a replica's fair share and a few, as of the hundreds that a
# gateway sends at once when it is no longer stopped; most of them next to nothing, since three
# failures in a row eject, and after that a trial costs one.
DRAWN_MIN, DRAWN_MEDIAN_MAX = 10, 10

Execution = collections.namedtuple("Execution", "replica instance mode at")


def was_lost(execution, killed, until):
    """Whether it may have come to nothing by then. `killed`: when, by (replica, instance)."""
    return (execution.mode == "garbage"
            or killed.get((execution.replica, execution.instance), math.inf) <= until)


class Judge:
    def __init__(self, replicas, faults):
        self.replicas, self.faults = replicas, faults
        self.results = []
        self.judged = 0
        self.executions = collections.defaultdict(list)  # by id
        self.offsets = collections.Counter()
        self.endings = collections.Counter()
        self.wrong = []
        self.repeats = 0
        self.tokens = 0

    def report(self, result=None, wrong=None, sort=None):
        """From the clients."""
        if result is not None:
            self.results.append(result)
        if wrong is not None:
            self.endings["wrong"] += 1
            self.wrong.append(wrong)
        if sort is not None:
            self.endings[sort] += 1

    # What the replicas say

    def read_logs(self):
        for replica in self.replicas:
            if not replica.log.exists():
                continue
            with open(replica.log, encoding="ascii") as log:
                log.seek(self.offsets[replica.name])
                for line in log:
                    id_, name, instance, mode, at = line.split()
                    self.executions[id_].append(Execution(name, int(instance), mode, float(at)))
                self.offsets[replica.name] = log.tell()

    def killed(self):
        return {(i.replica, i.instance): i.since for i in self.faults.incidents
                if i.fault == "kill"}

    def judge(self):
        """What has ended since the last time."""
        self.read_logs()
        killed = self.killed()
        for result in self.results[self.judged:]:
            executions = sorted(self.executions.get(result.id, ()), key=lambda e: e.at)
            ending, why = self.judge_one(result, executions, killed)
            self.tokens += result.tokens
            self.endings[ending] += 1
            if why:
                where = ", ".join(f"{e.mode} at {e.replica}/{e.instance}" for e in executions)
                self.wrong.append(f"{result.id}: {why}; executed: {where or 'never'}; status "
                                  f"{result.status}, {result.tokens} of {result.count} tokens of "
                                  f"{result.names or 'nobody'}: {result.text!r}")
        self.judged = len(self.results)

    def judge_one(self, result, executions, killed):
        """(the sort of ending, what is wrong with it if anything)"""
        if not result.right:
            return "wrong", "tokens mixed, lost or repeated"
        if any(e.mode == "mixed" for e in executions):
            return "wrong", "a replica got something else"
        if result.done and (not executions or executions[-1].mode != "normal"
                            or result.names != {executions[-1].replica}):
            return "wrong", "not the answer of the replica that had it"
        if result.left:
            return "left", None
        if result.done:
            return "complete", None
        if result.whole and result.status == 500:
            by_fault = executions and executions[-1].mode == "500"
            return ("500 of a replica", None) if by_fault else ("wrong", "a 500 of nobody")
        if result.status == 200 and not result.whole:
            last = executions[-1] if executions else None
            by_fault = last and (last.mode == "cut" or was_lost(last, killed, result.until))
            return ("broken by a fault", None) if by_fault else ("wrong", "broken off")
        if (result.whole and result.status in (502, 503)
                and len(self.met(result, executions, killed)) >= 2):
            return "met two faults", None
        return "wrong", "failed while healthy replicas were there"

    def met(self, result, executions, killed):
        """The replicas that may have lost it: those that say so, and those that were dead."""
        dead = {i.replica for i in self.faults.incidents if i.fault == "kill"
                and i.since <= result.until and (i.until is None or i.until >= result.since)}
        return dead | {e.replica for e in executions if was_lost(e, killed, result.until)}

    # What only the end shows

    def finish(self):
        self.judge()
        killed = self.killed()
        for id_, executions in self.executions.items():
            executions.sort(key=lambda e: e.at)
            self.repeats += len(executions) - 1
            if len(executions) > 2:
                self.wrong.append(f"{id_}: executed {len(executions)} times: {executions}")
            elif len(executions) == 2 and not was_lost(executions[0], killed, executions[1].at):
                self.wrong.append(f"{id_}: executed again though it was answered: {executions}")
        unlucky_max = max(UNLUCKY_MIN, UNLUCKY_SHARE_MAX * len(self.results))
        if self.endings["met two faults"] > unlucky_max:
            self.wrong.append(f"{self.endings['met two faults']} requests failed after two faults, "
                              f"more than {unlucky_max:.0f}")
        self.judge_draws()

    def judge_draws(self):
        """Ejection after a few in a row keeps a black hole below the share of a replica that works.
        """
        every = sorted((e for executions in self.executions.values() for e in executions),
                       key=lambda e: e.at)
        times = [e.at for e in every]
        self.drawn = {fault: [] for fault in BLACK_HOLES}
        for incident in self.faults.incidents:
            if incident.fault not in BLACK_HOLES or incident.until is None:
                continue
            meanwhile = every[bisect.bisect_left(times, incident.since):
                              bisect.bisect_right(times, incident.until)]
            drawn = sum(e.replica == incident.replica and e.mode == incident.fault
                        for e in meanwhile)
            self.drawn[incident.fault].append(drawn)
            share = len(meanwhile) / len(self.replicas)
            if drawn > share + DRAWN_MIN:
                self.wrong.append(f"{incident} drew {drawn} of {len(meanwhile)} requests")
        for fault, drawn in self.drawn.items():
            if drawn and statistics.median(drawn) > DRAWN_MEDIAN_MAX:
                self.wrong.append(f"black holes of {fault} drew {drawn}, most of them more than "
                                  f"{DRAWN_MEDIAN_MAX}")
