"""What is claimed of the engine on this kernel, one function each: it says what held, or raises `Broken`.

Beside each claim stands an alteration of what was brought back under which it must no longer hold (`judge.py` tries it).
"""

from brought_back import BroughtBack

TICKS = 20_000
TICKED = ("band", "detect", "rate", "readout", "policy", "stimulate")
KILLS = 50
# Is also started again by command.
COMMANDED = "stimulate"

CLAIMS = []


class Broken(Exception):
    """A claim that does not hold, and why."""


def need(holds, why):
    if not holds:
        raise Broken(why)


def claim(title, alteration):
    """Registers a claim: its title, and an alteration (a function of a copy) that must break it."""

    def register(check):
        CLAIMS.append((title, check, alteration))
        return check

    return register


def account(back, session, kind, **values):
    """Alters the first account of a kind by so much."""
    row = back.sessions[session].report[kind][0]
    for key, by in values.items():
        row[key] += by


def set_finding(back):
    next(f for f in back.doctor["findings"] if f["check"] == "preempt_rt")["state"] = "failed"


@claim("doctor sees PREEMPT_RT", set_finding)
def preempt_rt(back: BroughtBack):
    finding = next((f for f in back.doctor["findings"] if f["check"] == "preempt_rt"), None)
    need(finding is not None, "it does not look")
    need(finding["state"] == "passed", f"{finding['state']}: {finding['what']}")
    need("PREEMPT_RT" in back.uname, f"the kernel itself does not say so: {back.uname}")
    return finding["what"]


@claim("every session runs in real time", lambda back: back.sessions["death"].report["rt"].update(active=False))
def real_time(back):
    for name, session in back.sessions.items():
        need(session.report["rt"]["active"], f"{name}: {session.report['rt']['why']}")
    return ", ".join(back.sessions)


@claim(f"{TICKS:,} ticks of {len(TICKED)} stages", lambda back: account(back, "long", "ticks", due=-TICKS, run=-TICKS))
def ticks(back):
    session = back.sessions["long"]
    need((session.code, session.report["verdict"]) == (0, "passed"), f"exit {session.code}, {session.report['why']}")
    rows = {row["who"]: row for row in session.report["ticks"]}
    for who in ("timer", *TICKED):
        need(who in rows, f"{who} has no account of ticks")
        need(rows[who]["due"] >= TICKS, f"{who}: {rows[who]['due']} were due")
        # Skipped ticks are the emulator's business, but a stage that sleeps through most of them is not scheduled.
        need(rows[who]["run"] * 2 > rows[who]["due"], f"{who} has run in {rows[who]['run']} of {rows[who]['due']}")
    least = min(TICKED, key=lambda who: rows[who]["run"])
    return f"{rows['timer']['due']:,} due; fewest run by {least}: {rows[least]['run']:,}"


def other_cpu(back):
    session = back.sessions["long"]
    session.placed[session.stage("rate")["pid"]][-1].cpus = "0-1"


def each_process(back):
    """Every process of every session, with the policy, priority and CPU that the graph asks for."""
    asked = {name: stage | {"policy": "fifo"} for name, stage in back.graph["stage"].items()}
    asked["timer"] = back.graph["timer"] | {"policy": "fifo"}
    for name, session in back.sessions.items():
        for who, wanted in asked.items():
            yield f"{name}: {who}", session, who, (wanted["policy"], wanted["priority"], wanted["cpu"])


@claim("policy, priority, CPU and locked memory as asked for, by /proc while it runs", other_cpu)
def placement(back):
    processes = looks = 0
    for where, session, who, want in each_process(back):
        said = session.stage(who)
        got = (said["policy"], said["priority"], said["cpu"])
        need(got == want, f"{where} is to be {want}, and was {got} when it was ready")
        need(said["locked_bytes"] > 0, f"{where} has locked nothing in memory")
        need(said["pid"] in session.placed, f"{where}: the kernel was not asked about process {said['pid']}")
        for kernel in session.placed[said["pid"]]:
            got = (kernel.policy, kernel.priority, kernel.cpus)
            need(got == (*want[:2], str(want[2])), f"{where} is to be {want}, and the kernel says {got}")
            need(kernel.last_cpu == want[2], f"{where} was last on CPU {kernel.last_cpu}")
            need(kernel.locked_kb > 0, f"{where} has nothing locked in memory, the kernel says")
            looks += 1
        processes += 1
    return f"{processes} processes of {len(back.sessions)} sessions, {looks} looks"


@claim("the same as the engine read it back once a second", lambda back: back.sessions["long"].watched("band").update(changes_seen=1))
def watched(back):
    seconds = 0
    for where, session, who, want in each_process(back):
        seen = session.watched(who)
        need(seen["seconds"] > 0, f"{where} was never looked at")
        got = (seen["last"]["policy"], seen["last"]["priority"], seen["last"]["cpus"])
        need(got == (*want[:2], str(want[2])), f"{where} is to be {want}, and was last {got}")
        need(seen["changes_seen"] == 0, f"{where}: {seen['changes']}")
        seconds += seen["seconds"]
    return f"{seconds:,} looks"


@claim("no allocation and no page fault after the start", lambda back: back.sessions["long"].report["stages"][1].update(minor_faults=1))
def quiet(back):
    fifo = [s for s in back.sessions["long"].report["stages"] if s["policy"] == "fifo"]
    for stage in fifo:
        for what in ("allocations_after_start", "minor_faults", "major_faults"):
            need(stage[what] == 0, f"{stage['name']}: {what} {stage[what]}")
    return f"{len(fifo)} FIFO processes"


def killed_of(session, who):
    return sum(stage == who for stage, _ in session.kills)


@claim(f"{KILLS} kills, each started again", lambda back: back.sessions["kills"].kills.pop())
def kills(back):
    session = back.sessions["kills"]
    need((session.code, session.report["verdict"]) == (0, "passed"), f"exit {session.code}, {session.report['why']}")
    need(len(session.kills) == KILLS == len({pid for _, pid in session.kills}), f"{len(session.kills)} kills: {session.kills}")
    listed = session.report["restarts"]
    need(len(listed) == KILLS + 1, f"{len(listed)} restarts in the report")
    for who in ("source", *TICKED):
        killed, again = killed_of(session, who), session.stage(who)["restarts"]
        need(killed > 0, f"{who} was not killed")
        need(again == killed + (who == COMMANDED), f"{who}: {killed} kills, {again} restarts")
    dead = sum(row["dead"] for row in session.report["ticks"])
    need(dead > 0, "and they have cost no tick")
    return f"{dead} ticks counted as dead"


@claim("replay of that session is identical, bit for bit", lambda back: back.sessions["kills"].report["replay"].update(identical=False))
def replay(back):
    found = back.sessions["kills"].report["replay"]
    need(found is not None and found["identical"] is True and found["decisions"] > 0, str(found))
    return found["says"]


@claim("`restart` and `stop` by command", lambda back: back.sessions["kills"].report.update(ended_by="duration"))
def commands(back):
    session = back.sessions["kills"]
    # The first process of a stage is its first generation.
    generation = 1 + killed_of(session, COMMANDED) + 1
    need(session.answers.get("restart", {}).get("generation") == generation, f"restart answered {session.answers.get('restart')}")
    commanded = [r for r in session.report["restarts"] if r["who"] == COMMANDED and r["what"] == "started again by command"]
    need(len(commanded) == 1, f"{COMMANDED}: {commanded}")
    need(session.report["ended_by"] == "stopped by command", f"ended by: {session.report['ended_by']}")
    need("stop" in session.answers, "stop was not answered")
    return session.report["ended_by"]


@claim("stages that blocks wake take every block", lambda back: back.sessions["data"].report["edges"][-1].update(consumed=1))
def data(back):
    session = back.sessions["data"]
    need((session.code, session.report["verdict"]) == (0, "passed"), f"exit {session.code}, {session.report['why']}")
    blocks = session.report["rings"][0]["published"]
    need(blocks > 0, "there was none")
    for row in session.report["edges"]:
        need(row["consumed"] == row["published"] == blocks, f"{row['seat']}: {row}")
    for who in TICKED:
        slept = session.stage(who)["voluntary_switches"]
        need(slept > 0, f"{who} has never slept")
    return f"{blocks:,} blocks through {len(session.report['edges'])} seats"


@claim("a death ends its session where on_death = \"stop\", and is named", lambda back: back.sessions["death"].report["faults"].clear())
def death(back):
    return ended_by(back.sessions["death"], "detect")


def ended_by(session, victim):
    """The session failed because its victim, and nobody else, was killed; its own words for that."""
    need([who for who, _ in session.kills] == [victim], f"killed: {session.kills}")
    need((session.code, session.report["verdict"]) == (1, "failed"), f"exit {session.code}, verdict {session.report['verdict']}")
    faults = session.report["faults"]
    need(faults and faults[0]["who"] == victim, f"faults: {faults}")
    need(victim in session.report["ended_by"], f"ended by: {session.report['ended_by']}")
    return session.report["ended_by"]


@claim("so does the death of the timer", lambda back: back.sessions["timerless"].report["faults"].clear())
def timer(back):
    return ended_by(back.sessions["timerless"], "timer")


@claim("a stage that hangs is ended and started again", lambda back: back.sessions["hung"].report["restarts"].clear())
def hung(back):
    session = back.sessions["hung"]
    need((session.code, session.report["verdict"]) == (0, "passed"), f"exit {session.code}, {session.report['why']}")
    listed = [r for r in session.report["restarts"] if r["who"] == "rate"]
    need(len(listed) == len(session.report["restarts"]) == 1, f"restarts: {session.report['restarts']}")
    need("no sign of life" in listed[0]["what"], f"rate {listed[0]['what']}")
    return f"rate {listed[0]['what']}"


@claim("who has lost the launcher leaves, and the next command says so", lambda back: back.orphaned.stayed.append("/proc/1"))
def orphaned(back):
    found = back.orphaned
    need(not found.stayed, f"stayed: {found.stayed}")
    need([s["session"] for s in found.status] == ["orphaned"], f"`status` says {found.status}")
    return "no process stayed"


@claim("Ctrl-C drains and passes", lambda back: setattr(back.sessions["interrupted"], "code", 130))
def interrupted(back):
    session = back.sessions["interrupted"]
    need((session.code, session.report["verdict"]) == (0, "passed"), f"exit {session.code}, {session.report['why']}")
    need(session.report["ended_by"] == "interrupted", f"ended by: {session.report['ended_by']}")
    left = {row["seat"]: row["left"] for row in session.report["edges"] if row["left"]}
    need(not left, f"blocks were left: {left}")
    return f"{len(session.report['edges'])} seats empty"


# Left side, right side: as the report's schema has them.
EQUATIONS = {
    "ticks": (("due",), ("run", "late_wake", "long_run", "no_room", "dead")),
    "rings": (("offered",), ("published", "dropped")),
    "edges": (("published",), ("consumed", "jumped", "lapped", "left")),
    "sources": (("counted",), ("valid", "lost")),
}


@claim("all accounts hold", lambda back: account(back, "kills", "edges", consumed=-1))
def accounts(back):
    checked = 0
    for name, session in back.sessions.items():
        for kind, (left, right) in EQUATIONS.items():
            need(session.report[kind], f"{name}: no account of {kind}")
            for row in session.report[kind]:
                need(sum(row[k] for k in left) == sum(row[k] for k in right), f"{name}: {kind}: {row}")
                # Without a timer nobody is rung and nothing drains: what a reader had not taken is left, and counted so.
                undrained = (name, kind) == ("timerless", "edges") and row["left"] > 0
                need(row["holds"] != undrained, f"{name}: {kind}: {row}")
                checked += 1
    return f"{checked}, computed again"


@claim("nothing is left", lambda back: back.sessions["death"].left.append("/dev/shm/ephapse.0.death.raw"))
def nothing_left(back):
    for name, session in (*back.sessions.items(), ("orphaned", back.orphaned)):
        need(not session.left, f"{name}: {session.left}")
    return "no segment, no session file, no process"


@claim("whatever was waited for came", lambda back: back.sessions["kills"].missed.append("running"))
def nothing_missed(back):
    for name, session in (*back.sessions.items(), ("orphaned", back.orphaned)):
        need(not session.missed, f"{name}: in vain: {session.missed}")
    return "sessions that run, stages that are back"
