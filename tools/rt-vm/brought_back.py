"""What the guest has sent: what its sessions left, and what its kernel said about their processes, as it was written down."""

import json, pathlib, tomllib
from dataclasses import dataclass, field

# Places of fields in /proc/PID/stat behind the name's closing bracket (proc(5) counts from 1, and the name is the second).
PROCESSOR, RT_PRIORITY, POLICY = 39 - 3, 40 - 3, 41 - 3
# As <sched.h> numbers them.
POLICIES = {0: "other", 1: "fifo"}
# Those that have a report.
SESSIONS = ("long", "kills", "data", "hung", "death", "interrupted", "timerless")


@dataclass
class Placed:
    """One process by its /proc files, at one look."""

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

    def watched(self, name):
        """What the engine read back once a second about a process."""
        return next(w for w in self.report["rt_watch"]["processes"] if w["name"] == name)


@dataclass
class Orphaned:
    """The session whose launcher was killed: processes that stayed, what `status` said then, what was left after `gc`."""

    stayed: list
    status: list
    left: list
    missed: list


@dataclass
class BroughtBack:
    """Everything."""

    uname: str
    doctor: dict
    graph: dict
    sessions: dict
    orphaned: Orphaned


def placed(stat, status):
    behind = stat[stat.rindex(")") + 2 :].split()
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    policy = int(behind[POLICY])
    return Placed(
        policy=POLICIES.get(policy, str(policy)),
        priority=int(behind[RT_PRIORITY]),
        cpus=lines["Cpus_allowed_list"].strip(),
        last_cpu=int(behind[PROCESSOR]),
        locked_kb=int(lines["VmLck"].split()[0]),
    )


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def looks(folder):
    """Looks at each process, by its pid."""
    found = {}
    for path in folder.glob("*.stat"):
        pid, stat, status = int(path.name.split(".")[0]), path.read_text(), path.with_suffix(".status").read_text()
        # A process may have ended while its two files were read; one that is ending has no memory any more.
        if stat and "VmLck" in status:
            found.setdefault(pid, []).append(placed(stat, status))
    return found


def session(folder):
    return Session(
        report=json.loads((folder / "report/report.json").read_text()),
        code=int((folder / "code").read_text()),
        left=(folder / "left").read_text().splitlines(),
        missed=lines(folder / "missed"),
        kills=[(stage, int(pid)) for stage, pid in (line.split() for line in lines(folder / "kills"))],
        placed=looks(folder / "placed"),
        answers={p.stem: json.loads(p.read_text()) for p in folder.glob("*.json")},
    )


def orphaned(folder):
    return Orphaned(
        stayed=(folder / "stayed").read_text().splitlines(),
        status=json.loads((folder / "status.json").read_text()),
        left=(folder / "left").read_text().splitlines(),
        missed=lines(folder / "missed"),
    )


def read(folder, graph):
    """Reads what was unpacked in `folder`; `graph` is the file of the graph that the guest has run."""
    folder = pathlib.Path(folder)
    return BroughtBack(
        uname=(folder / "uname").read_text().strip(),
        doctor=json.loads((folder / "doctor.json").read_text()),
        graph=tomllib.loads(pathlib.Path(graph).read_text()),
        sessions={name: session(folder / name) for name in SESSIONS},
        orphaned=orphaned(folder / "orphaned"),
    )
