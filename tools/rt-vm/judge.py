#!/usr/bin/env python3
"""Judges what the guest has brought back: one line per claim, exit 1 if one does not hold.

At the end every claim is shown an altered copy of the same data, under which it must fail: a check that cannot fail says nothing.

usage: tools/rt-vm/judge.py FOLDER
"""

import copy, pathlib, sys

import brought_back
from claims import CLAIMS, Broken

GRAPH = pathlib.Path(__file__).resolve().parent / "inside/loop.toml"


def tried(check, back):
    """What held, and why it did not; one of them is None."""
    try:
        return check(back), None
    except Broken as why:
        return None, str(why)
    except (LookupError, StopIteration) as what:
        return None, f"not in the data: {what!r}"


def stood_still(name, report):
    """What the host left the guest: a session fails for that, too, if it is little."""
    stalled_s = sum(stall["length_ns"] for stall in report["stalls"]) / 1e9
    longest_ms = max((stall["length_ns"] for stall in report["stalls"]), default=0) / 1e6
    return f"        {name}: {report['duration_ns'] / 1e9:.0f} s; its CPUs stood still for {stalled_s:.1f} s, {longest_ms:.0f} ms at once"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: judge.py FOLDER")
    try:
        back = brought_back.read(sys.argv[1], GRAPH)
    except (OSError, ValueError, KeyError) as why:
        sys.exit(f"rt-vm: FAILED: what the guest sent is not complete: {why!r}")
    failed = blind = 0
    for title, check, alteration in CLAIMS:
        held, why = tried(check, back)
        failed += why is not None
        print(f"{'holds ' if why is None else 'FAILED'}  {title}: {held if why is None else why}")
        if why is None:
            altered = copy.deepcopy(back)
            alteration(altered)
            if tried(check, altered)[1] is None:
                blind += 1
                print(f"FAILED  {title}: holds also where it must not")
    for name, session in back.sessions.items():
        print(stood_still(name, session.report))
    print(f"rt-vm: {len(CLAIMS) - failed} of {len(CLAIMS)} claims hold; each was tried on data altered so that it must fail")
    sys.exit(1 if failed or blind else 0)


main()
