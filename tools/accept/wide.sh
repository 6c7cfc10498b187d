#!/usr/bin/env bash
# A minute of 1024 channels at 30 kHz (61 MB/s) into a capture. Blocks may be missing in it only beside a witnessed stall longer
# than the ring, or where the disk is measurably slower than the data.
# usage: tools/accept/wide.sh PATH-OF-EPHAPSE [SECONDS]
set -eu
ephapse=$1
seconds=${2:-60}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$(dirname "$0")/../.."
"$ephapse" run rtconfig/graphs/wide-recording.toml --duration "${seconds}s" --report "$work" --json >"$work/lines" || code=$?
"$ephapse" verify "$work"/*.cap
python3 - "$work" "${code:-0}" <<'PY'
import json, os, sys, time
work, code = sys.argv[1], int(sys.argv[2])
report = json.load(open(f"{work}/report.json"))
capture = report["capture"]
raw = next(r for r in report["rings"] if r["stream"] == "raw")
megabytes = capture["bytes"] / 1e6
print(f"verdict {report['verdict']}, exit {code}; raw: {raw['offered']} offered, {raw['dropped']} dropped; {megabytes:.0f} MB recorded, "
      f"sealed {capture['sealed']}")
lost = {l["of"]: l for l in capture["lost"]}
stalls = [s["length_ns"] for s in report["stalls"]]
ring_ns = 64e6
longest = max(stalls, default=0)
print(f"missing: {lost or 'nothing'}; witnessed stalls: {len(stalls)}, longest {longest / 1e6:.1f} ms; the ring lasts {ring_ns / 1e6:.0f} ms")
start, block = time.monotonic(), os.urandom(1 << 20)
with open(f"{work}/speed", "wb") as file:
    for _ in range(512):
        file.write(block)
    os.fsync(file.fileno())
speed = 512 * (1 << 20) / 1e6 / (time.monotonic() - start)
print(f"this disk takes {speed:.0f} MB/s (512 MiB and fsync)")
late = any(l["count"] > l["spool_full"] for l in lost.values()) or raw["dropped"] > 0
full = any(l["spool_full"] for l in lost.values())
bad = late and longest < ring_ns - 2e6 or full and speed > 2 * 61.44
if bad:
    print("blocks are missing without a stall that long, or a disk that slow")
broken = [a for key in ("ticks", "rings", "edges", "sources") for a in report[key] if not a["holds"]]
print(f"broken accounts: {broken or 'none'}")
sys.exit(1 if bad or broken or code or not capture["sealed"] else 0)
PY
