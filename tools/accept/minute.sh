#!/usr/bin/env bash
# A minute of 24 kB blocks (60 x 100 i32) at 1 kHz through the whole graph, on the build that `make demo` runs.
# Accounts must hold, no stage under SCHED_FIFO may allocate or fault after the start; a gap at the source needs a ring
# that was full, which its account then shows.
# usage: tools/accept/minute.sh PATH-OF-EPHAPSE [SECONDS]
set -eu
ephapse=$1
seconds=${2:-60}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$(dirname "$0")/../.."
"$ephapse" run rtconfig/graphs/blocks-24kb.toml --duration "${seconds}s" --report "$work" --json >"$work/lines" || code=$?
python3 - "$work/report.json" "${code:-0}" <<'PY'
import json, sys
report, code = json.load(open(sys.argv[1])), int(sys.argv[2])
fifo = [s for s in report["stages"] if s["policy"] == "fifo"]
raw = next(r for r in report["rings"] if r["stream"] == "raw")
print(f"verdict {report['verdict']}, exit {code}, rt active: {report['rt']['active']} {report['rt']['why']}")
print(f"raw: {raw['offered']} offered, {raw['published']} published, {raw['dropped']} dropped")
loop = report["loop"]
print(f"loop: {loop['count']} decisions, p50 {loop['p50_ns'] / 1e3:.0f} us, p99 {loop['p99_ns'] / 1e3:.0f} us, max {loop['max_ns'] / 1e3:.0f} us")
bad = [s["name"] for s in fifo if s["allocations_after_start"] or s["minor_faults"] or s["major_faults"]]
broken = [a for key in ("ticks", "rings", "edges", "sources") for a in report[key] if not a["holds"]]
print(f"{len(fifo)} FIFO processes, with an allocation or a fault after the start: {bad or 'none'}; broken accounts: {broken or 'none'}")
# A ring of 64 blocks lasts 64 ms: blocks may be dropped only beside a stall that long, seen by a witness (which itself
# sleeps up to a millisecond of it, and starts counting when it should have woken).
ring_ns = 64e6
longest = max((s["length_ns"] for s in report["stalls"]), default=0)
print(f"witnessed stalls: {len(report['stalls'])}, longest {longest / 1e6:.1f} ms; the ring lasts {ring_ns / 1e6:.0f} ms")
unwitnessed = raw["dropped"] > 0 and longest < ring_ns - 2e6
if unwitnessed:
    print("blocks were dropped without a witnessed stall longer than the ring")
sys.exit(1 if bad or broken or code or unwitnessed else 0)
PY
