#!/usr/bin/env python3
"""Is the loop the same with its recorder stopped for five seconds, and with a full disk?

Rounds of three runs in turn: undisturbed; recorder stopped (SIGSTOP) for 5 s; disk full (the recorder's files may not grow) from
the first second on. In the last two nothing may be dropped, jumped or without room but in the recorder's own seats, whose
accounts hold; and the 95 % interval of the median of the rounds' ratios, disturbed to undisturbed, of the loop's p50 and p99
must contain 1.

usage: tools/accept/recorder_away.py PATH-OF-EPHAPSE [ROUNDS]
"""

import json, math, os, pathlib, resource, signal, subprocess, sys, tempfile, time

SECONDS = 9
AWAY = 5
# The reference experiment: 60 electrodes at 20 kHz, one block a millisecond.
REFERENCE = ["--set", "stage.source.params.rate_hz=20000.0", "--set", "stage.source.params.block_frames=20"]
GRAPH = pathlib.Path(__file__).resolve().parents[2] / "rtconfig/graphs/blocks-24kb.toml"


def recorder(ephapse, session):
    """The recorder's pid, as soon as the session runs."""
    for _ in range(400):
        answer = subprocess.run([ephapse, "status", session, "--json"], capture_output=True, text=True)
        if answer.returncode == 0:
            found = json.loads(answer.stdout)
            found = found[0] if isinstance(found, list) else found
            for process in found.get("stages", []) + found.get("processes", []):
                if process["name"] == "recorder" and process.get("pid"):
                    return process["pid"]
        time.sleep(0.02)
    sys.exit("the session does not run")


def run(ephapse, disturb):
    with tempfile.TemporaryDirectory() as work:
        session = f"away-{os.getpid()}"
        command = [ephapse, "run", GRAPH, *REFERENCE, "--set", f'name="{session}"', "--duration", f"{SECONDS}s", "--report", work, "--json"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        pid = recorder(ephapse, session)
        time.sleep(1)
        if disturb == "stopped":
            os.kill(pid, signal.SIGSTOP)
            time.sleep(AWAY)
            os.kill(pid, signal.SIGCONT)
        elif disturb == "full":
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
        code = process.wait()
        report = json.load(open(f"{work}/report.json"))
    broken = [a for key in ("ticks", "rings", "edges", "sources") for a in report[key] if not a["holds"]]
    lost = sum(r["dropped"] for r in report["rings"]) + sum(t["no_room"] for t in report["ticks"])
    lost += sum(e["jumped"] + e["lapped"] for e in report["edges"] if e["seat"] != "recorder")
    missing = sum(e["jumped"] + e["lapped"] + e["left"] for e in report["edges"] if e["seat"] == "recorder")
    return code, broken, lost, missing, report["loop"]["p50_ns"], report["loop"]["p99_ns"]


def interval(ratios):
    """Median, and the order statistics around it that hold it with 95 % or more."""
    ratios = sorted(ratios)
    number, rank = len(ratios), 1
    # As far in as 2.5 % on either side allow: of so many fair coins fewer than `rank` show heads.
    while sum(math.comb(number, heads) for heads in range(rank + 1)) <= 0.025 * 2**number:
        rank += 1
    return ratios[len(ratios) // 2], ratios[rank - 1], ratios[-rank]


def main():
    ephapse, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 15
    results = {how: [] for how in ("undisturbed", "stopped", "full")}
    wrong = []
    for round_ in range(rounds):
        for how, list_ in results.items():
            code, broken, lost, missing, p50, p99 = run(ephapse, how)
            list_.append((p50, p99))
            print(f"{round_ + 1:2} {how:<12} exit {code}, lost elsewhere {lost}, missing in the capture {missing}, p50 {p50 / 1e3:.0f} us, p99 {p99 / 1e3:.0f} us", flush=True)
            if broken or lost or code or (how != "undisturbed" and missing == 0):
                wrong.append((round_ + 1, how, code, broken, lost, missing))
    for how in ("stopped", "full"):
        for index, name in enumerate(("p50", "p99")):
            pairs = zip(results[how], results["undisturbed"])
            middle, low, high = interval([a[index] / b[index] for a, b in pairs])
            print(f"{how}: {name} {middle:.2f} ({low:.2f} to {high:.2f}) of the undisturbed run")
            if not low <= 1 <= high:
                wrong.append((how, name, low, high))
    for one in wrong:
        print("wrong:", one)
    sys.exit(1 if wrong else 0)


main()
