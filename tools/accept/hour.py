#!/usr/bin/env python3
"""Does the loop run for an hour at a tick of 1 ms?

The tick account of every process is exact; the resident memory of every process is the same at the end as at a twelfth of the
time, within 64 KiB; and frames are lost only beside a witnessed stall that is longer than the source's ring.

usage: tools/accept/hour.py PATH-OF-EPHAPSE [SECONDS]
"""

import json, os, pathlib, subprocess, sys, tempfile, time

MOST_KIB = 64
GRAPH = pathlib.Path(__file__).resolve().parents[2] / "rtconfig/graphs/blocks-24kb.toml"
# Eight channels at 20 kHz: an hour of them, filtered twice, is nothing to keep; decisions and commands are.
SMALL = ["channels=8", "rate_hz=20000.0", "block_frames=20"]
SETTINGS = [f"stage.source.params.{s}" for s in SMALL] + ['record=["decision", "commands"]']
RING_S = 64 * 0.001


def processes(ephapse, session):
    """Name and pid of every process of the session, launcher included."""
    answer = subprocess.run([ephapse, "status", "--json"], capture_output=True, text=True, check=True)
    found = [s for s in json.loads(answer.stdout) if s["session"] == session]
    return {p["name"]: p["pid"] for p in found[0]["processes"]} if found else {}


KINDS = ("RssAnon", "RssFile", "RssShmem")


def resident_kib(pid):
    """Resident memory of a process by its kind: its own, of files, shared."""
    status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
    return [int(status[kind].split()[0]) for kind in KINDS]


def main():
    ephapse, seconds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3600
    early, late = seconds / 12, seconds - 5
    wrong = []
    with tempfile.TemporaryDirectory() as work:
        session = f"hour-{os.getpid()}"
        command = [ephapse, "run", GRAPH, "--set", f'name="{session}"', "--duration", f"{seconds}s", "--report", work, "--json"]
        for setting in SETTINGS:
            command += ["--set", setting]
        began = time.monotonic()
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        time.sleep(early)
        pids = processes(ephapse, session)
        if len(pids) < 10:
            sys.exit(f"the session does not run: {pids}")
        before = {name: resident_kib(pid) for name, pid in pids.items()}
        while run.poll() is None and time.monotonic() < began + late:
            time.sleep(1)
        if run.poll() is not None:
            report = json.load(open(f"{work}/report.json"))
            sys.exit(f"over after {report['duration_ns'] / 1e9:.0f} s (exit {run.returncode}): {report['why']}")
        for name, pid in pids.items():
            now = resident_kib(pid)
            was, grown = before[name], sum(now) - sum(before[name])
            kinds = ", ".join(f"{k} {n - w:+}" for k, w, n in zip(KINDS, was, now) if n != w)
            print(f"{name:<15} {sum(was):8} KiB after {early:.0f} s, {sum(now):8} KiB after {late:.0f} s" + (f" ({kinds})" if kinds else ""))
            if abs(grown) > MOST_KIB:
                wrong.append(f"{name}: {grown:+} KiB ({kinds})")
        if run.wait() != 0:
            wrong.append(f"exit code {run.returncode}")
        report = json.load(open(f"{work}/report.json"))
    for key in ("ticks", "rings", "edges", "sources"):
        wrong += [f"{key}: {account}" for account in report[key] if not account["holds"]]
    for account in report["ticks"]:
        print(f"{account['who']:<15} {account['due']:,} due = {account['run']:,} run + {account['late_wake']} late wake + {account['long_run']} long run + {account['no_room']} no room + {account['dead']} dead")
    lost = sum(source["lost"] for source in report["sources"])
    longest = max((stall["length_ns"] for stall in report["stalls"]), default=0) / 1e9
    print(f"{lost} frames lost; {len(report['stalls'])} witnessed stalls, the longest {longest * 1e3:.1f} ms; loop p50 {report['loop']['p50_ns'] / 1e6:.2f} ms, p99 {report['loop']['p99_ns'] / 1e6:.2f} ms, max {report['loop']['max_ns'] / 1e6:.2f} ms")
    for incident in report["incidents"][:5]:
        worst = incident["worst"]
        hop = next(hop for hop in worst["hops"] if hop["stage"] == worst["costliest"])
        causes = "; ".join(cause["says"] for cause in hop["causes"]) or "no cause on record"
        print(f"{worst['total_ns'] / 1e6:8.1f} ms at tick {worst['tick']:,}, {incident['decisions']} decisions: {hop['stage']}: {causes}")
    if lost and longest < RING_S:
        wrong.append(f"{lost} frames lost, and no witnessed stall was as long as the ring ({RING_S * 1e3:.0f} ms)")
    for one in wrong:
        print("wrong:", one)
    sys.exit(1 if wrong else 0)


main()
