"""What the guest has sent: what its sessions left, and what its kernel said about their processes, as it was written down."""

import json, pathlib, tomllib
from dataclasses import dataclass, field

# Places of fields in /proc/PID/stat behind the name's closing bracket (proc(5) counts from 1, and the name is the second).
PROCESSOR, RT_PRIORITY, POLICY = 39 - 3, 40 - 3, 41 - 3
# As <sched.h> numbers them.
POLICIES = {0: "other", 1: "fifo"}


@dataclass
class Placed:
    """One process by its /proc files."""

    policy: str
    priority: int
    cpus: str
    last_cpu: int
    locked_kb: int


@dataclass
class Session:
    """One session of the guest."""

    report: dict
    code: int
    left: list
    missed: list
    kills: list = field(default_factory=list)
    placed: dict = field(default_factory=dict)
    answers: dict = field(default_factory=dict)

    def stage(self, name):
        """A process by its name, as the report has it."""
        return next(s for s in self.report["stages"] if s["name"] == name)


@dataclass
class BroughtBack:
    """Everything."""

    uname: str
    doctor: dict
    graph: dict
    sessions: dict


def placed(stat, status):
    behind = stat[stat.rindex(")") + 2 :].split()
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    policy = int(behind[POLICY])
    return Placed(
        policy=POLICIES.get(policy, str(policy)),
        priority=int(behind[RT_PRIORITY]),
        cpus=lines["Cpus_allowed_list"].strip(),
        last_cpu=int(behind[PROCESSOR]),
        locked_kb=int(lines["VmLck"].split()[0]) if "VmLck" in lines else 0,
    )


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def session(folder):
    stats = {int(p.stem): p.read_text() for p in (folder / "placed").glob("*.stat")}
    return Session(
        report=json.loads((folder / "report/report.json").read_text()),
        code=int((folder / "code").read_text()),
        left=(folder / "left").read_text().splitlines(),
        missed=lines(folder / "missed"),
        kills=[(stage, int(pid)) for stage, pid in (line.split() for line in lines(folder / "kills"))],
        # A process may have ended between the reading of its two files.
        placed={pid: placed(stat, (folder / f"placed/{pid}.status").read_text()) for pid, stat in stats.items() if stat},
        answers={p.stem: json.loads(p.read_text()) for p in folder.glob("*.json")},
    )


def read(folder, graph):
    """Reads what was unpacked in `folder`; `graph` is the file of the graph that the guest has run."""
    folder = pathlib.Path(folder)
    return BroughtBack(
        uname=(folder / "uname").read_text().strip(),
        doctor=json.loads((folder / "doctor.json").read_text()),
        graph=tomllib.loads(pathlib.Path(graph).read_text()),
        sessions={name: session(folder / name) for name in ("long", "kills", "death", "interrupted")},
    )
