//! For every check a tree that passes and one that fails.

use crate::host_tree::{File, Recipe};
use ephapse_rtconfig::doctor::{Facts, MeasuredCpu};

/// A check with its two hosts.
pub struct Fixture {
    pub check: &'static str,
    pub passes: Recipe,
    pub fails: Recipe,
}

/// What more than one check looks at.
const ONLINE: File = ("sys/devices/system/cpu/online", "0-3");
const ROOT_CAPABILITIES: File = (
    "proc/self/status",
    "Name:\tephapse\nCapEff:\t000001ffffffffff",
);
const NO_CAPABILITIES: File = (
    "proc/self/status",
    "Name:\tephapse\nCapEff:\t0000000000000000",
);
const CGROUP_V2: File = ("proc/self/cgroup", "0::/lab.slice");
const CGROUP_V1: File = ("proc/self/cgroup", "5:cpuset:/\n1:cpu,cpuacct:/lab\n0::/");
const POOR_LIMITS: File = (
    "proc/self/limits",
    "Limit                     Soft Limit           Hard Limit           Units
Max locked memory         8388608              8388608              bytes
Max pending signals       32                   32                   signals
Max realtime priority     0                    0
Max realtime timeout      200000               200000               us",
);
const RICH_LIMITS: File = (
    "proc/self/limits",
    "Limit                     Soft Limit           Hard Limit           Units
Max locked memory         unlimited            unlimited            bytes
Max pending signals       96363                96363                signals
Max realtime priority     95                   95
Max realtime timeout      unlimited            unlimited            us",
);

fn tree(files: &[File]) -> Recipe {
    let mut all = vec![ONLINE];
    all.extend(files);
    Recipe {
        files: all,
        ..Recipe::default()
    }
}

fn fixture(check: &'static str, passes: &[File], fails: &[File]) -> Fixture {
    Fixture {
        check,
        passes: tree(passes),
        fails: tree(fails),
    }
}

fn by_facts(check: &'static str, files: &[File], passes: Facts, fails: Facts) -> Fixture {
    let host = |facts| Recipe {
        files: files.to_vec(),
        facts,
        spins: false,
    };
    Fixture {
        check,
        passes: host(passes),
        fails: host(fails),
    }
}

fn measured(wake_ns: u64, gap_ns: u64) -> Facts {
    let cpu = |cpu| MeasuredCpu {
        cpu,
        fifo: true,
        wakes: 10_000,
        wake_p50_ns: wake_ns / 4,
        wake_p99_ns: wake_ns / 2,
        wake_p999_ns: wake_ns,
        wake_max_ns: wake_ns * 2,
        spun_ns: 5_000_000_000,
        gaps: 20,
        gaps_ns: gap_ns * 10,
        gap_each_second_ns: gap_ns,
        gap_max_ns: gap_ns * 2,
    };
    Facts {
        measured: Some(vec![cpu(2), cpu(3)]),
        ..Facts::default()
    }
}

/// That of one check.
pub fn of(check: &str) -> Fixture {
    all().into_iter().find(|f| f.check == check).unwrap()
}

/// All of them.
pub fn all() -> Vec<Fixture> {
    let mut all = kernel();
    all.extend(user());
    all.extend(cpus());
    all.extend(power_and_clock());
    all.extend(memory_and_devices());
    all
}

fn kernel() -> Vec<Fixture> {
    const SERVER: &str = "sys/kernel/debug/sched/fair_server/cpu3/runtime";
    const SINCE: File = ("proc/sys/kernel/osrelease", "6.12.8-rt");
    const PERIOD: File = ("proc/sys/kernel/sched_rt_period_us", "1000000");
    let spinning = |files: &[File]| Recipe {
        spins: true,
        ..tree(files)
    };
    vec![
        fixture(
            "preempt_rt",
            &[(
                "proc/sys/kernel/version",
                "#1 SMP PREEMPT_RT Debian 6.12.8-1",
            )],
            &[(
                "proc/sys/kernel/version",
                "#1 SMP PREEMPT_DYNAMIC Debian 6.12.8-1",
            )],
        ),
        fixture(
            "timer_migration",
            &[("proc/sys/kernel/timer_migration", "0")],
            &[("proc/sys/kernel/timer_migration", "1")],
        ),
        fixture(
            "watchdogs",
            &[
                ("proc/sys/kernel/watchdog", "1"),
                ("proc/sys/kernel/watchdog_cpumask", "0-1"),
            ],
            &[
                ("proc/sys/kernel/watchdog", "1"),
                ("proc/sys/kernel/watchdog_cpumask", "0-3"),
            ],
        ),
        fixture(
            "workqueues",
            &[
                ("sys/devices/virtual/workqueue/cpumask", "3"),
                ("sys/devices/virtual/workqueue/writeback/cpumask", "1"),
            ],
            &[
                ("sys/devices/virtual/workqueue/cpumask", "f"),
                ("sys/devices/virtual/workqueue/writeback/cpumask", "1"),
            ],
        ),
        Fixture {
            check: "rt_throttling",
            passes: spinning(&[("proc/sys/kernel/sched_rt_runtime_us", "-1")]),
            fails: spinning(&[("proc/sys/kernel/sched_rt_runtime_us", "950000"), PERIOD]),
        },
        Fixture {
            check: "fair_server",
            passes: spinning(&[SINCE, (SERVER, "0")]),
            fails: spinning(&[SINCE, (SERVER, "50000000")]),
        },
    ]
}

fn user() -> Vec<Fixture> {
    let tried = |fifo| Facts {
        fifo: Some(fifo),
        ..Facts::default()
    };
    vec![
        Fixture {
            check: "fifo",
            passes: Recipe {
                facts: tried(Ok(())),
                ..Recipe::default()
            },
            fails: Recipe {
                facts: tried(Err("Operation not permitted".to_owned())),
                ..tree(&[NO_CAPABILITIES, POOR_LIMITS])
            },
        },
        fixture("capabilities", &[ROOT_CAPABILITIES], &[NO_CAPABILITIES]),
        fixture(
            "rt_group",
            &[
                CGROUP_V1,
                ("sys/fs/cgroup/cpu,cpuacct/lab/cpu.rt_runtime_us", "950000"),
            ],
            &[
                CGROUP_V1,
                ("sys/fs/cgroup/cpu,cpuacct/lab/cpu.rt_runtime_us", "0"),
            ],
        ),
        fixture(
            "rlimit_rtprio",
            &[RICH_LIMITS],
            &[POOR_LIMITS, NO_CAPABILITIES],
        ),
        fixture(
            "rlimit_memlock",
            &[POOR_LIMITS, ROOT_CAPABILITIES],
            &[POOR_LIMITS, NO_CAPABILITIES],
        ),
        fixture("rlimit_sigpending", &[RICH_LIMITS], &[POOR_LIMITS]),
        fixture("rlimit_rttime", &[RICH_LIMITS], &[POOR_LIMITS]),
        fixture(
            "cpuset",
            // The group has no controller of its own: the one above it rules.
            &[CGROUP_V2, ("sys/fs/cgroup/cpuset.cpus.effective", "0-3")],
            &[
                CGROUP_V2,
                ("sys/fs/cgroup/lab.slice/cpuset.cpus.effective", "0-2"),
            ],
        ),
        fixture(
            "cpuset_partition",
            &[
                CGROUP_V2,
                ("sys/devices/system/cpu/isolated", ""),
                ("sys/fs/cgroup/lab.slice/cpuset.cpus.partition", "isolated"),
            ],
            &[
                CGROUP_V2,
                ("sys/devices/system/cpu/isolated", ""),
                ("sys/fs/cgroup/lab.slice/cpuset.cpus.partition", "member"),
            ],
        ),
    ]
}

fn cpus() -> Vec<Fixture> {
    const INTERRUPTS: File = (
        "proc/interrupts",
        "           CPU0       CPU1       CPU2       CPU3
 24:          1          0          0          9  IO-APIC   5-edge      eth0
 25:          0         14          0          0  IO-APIC   4-edge      ttyS0
NMI:          0          0          0          0  Non-maskable interrupts",
    );
    // proc_pid_stat(5), up to field 41: priority 50, policy 1.
    const IRQ_THREAD: File = (
        "proc/51/stat",
        "51 (irq/24-eth0 (x)) S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 -51 0 1 0 20 0 0 18446744073709551615 0 0 0 0 0 0 0 2147483647 0 0 0 0 17 0 50 1",
    );
    const KERNEL: File = ("proc/2/stat", "2 (kthreadd) S 0 0 0 0 -1 2129984");
    vec![
        fixture(
            "cpus_online",
            &[],
            &[("sys/devices/system/cpu/online", "0-2")],
        ),
        fixture("free_cpu", &[], &[("sys/devices/system/cpu/online", "2-3")]),
        fixture(
            "isolated",
            // One by the boot line, one by a cgroup.
            &[
                ("sys/devices/system/cpu/isolated", "2"),
                ("sys/fs/cgroup/cpuset.cpus.isolated", "3"),
            ],
            &[("sys/devices/system/cpu/isolated", "2")],
        ),
        fixture(
            "nohz_full",
            &[("sys/devices/system/cpu/nohz_full", "2-3")],
            &[("sys/devices/system/cpu/nohz_full", "(null)")],
        ),
        fixture(
            "rcu_nocbs",
            &[("proc/cmdline", "quiet nohz_full=2 rcu_nocbs=3")],
            &[("proc/cmdline", "quiet rcu_nocbs=3")],
        ),
        fixture(
            "irqs",
            &[
                INTERRUPTS,
                ("proc/irq/24/smp_affinity_list", "0-3"),
                ("proc/irq/24/effective_affinity_list", "1"),
                ("proc/irq/25/smp_affinity_list", "0-1"),
            ],
            &[
                INTERRUPTS,
                ("proc/irq/24/smp_affinity_list", "0-3"),
                ("proc/irq/25/smp_affinity_list", "0-1"),
            ],
        ),
        fixture(
            "irq_threads",
            &[
                KERNEL,
                IRQ_THREAD,
                ("proc/51/status", "Cpus_allowed_list:\t0-1"),
            ],
            &[
                KERNEL,
                IRQ_THREAD,
                ("proc/51/status", "Cpus_allowed_list:\t3"),
            ],
        ),
    ]
}

fn power_and_clock() -> Vec<Fixture> {
    const CLOCKS: &str = "sys/devices/system/clocksource/clocksource0/current_clocksource";
    const AVAILABLE: File = (
        "sys/devices/system/clocksource/clocksource0/available_clocksource",
        "tsc hpet acpi_pm",
    );
    const SHALLOW: &[File] = &[
        ("sys/devices/system/cpu/cpu2/cpuidle/state0/latency", "0"),
        ("sys/devices/system/cpu/cpu2/cpuidle/state0/name", "POLL"),
        ("sys/devices/system/cpu/cpu3/cpuidle/state0/latency", "2"),
        ("sys/devices/system/cpu/cpu3/cpuidle/state0/name", "C1"),
        ("sys/devices/system/cpu/cpu3/cpuidle/state1/latency", "133"),
        ("sys/devices/system/cpu/cpu3/cpuidle/state1/name", "C6"),
    ];
    let state1 = |disable| {
        [
            SHALLOW,
            &[(
                "sys/devices/system/cpu/cpu3/cpuidle/state1/disable",
                disable,
            )],
        ]
        .concat()
    };
    let latency_file = |open| Facts {
        latency_file: Some(open),
        ..Facts::default()
    };
    vec![
        fixture(
            "governor",
            &[
                (
                    "sys/devices/system/cpu/cpu2/cpufreq/scaling_governor",
                    "performance",
                ),
                (
                    "sys/devices/system/cpu/cpu3/cpufreq/scaling_governor",
                    "performance",
                ),
            ],
            &[
                (
                    "sys/devices/system/cpu/cpu2/cpufreq/scaling_governor",
                    "performance",
                ),
                (
                    "sys/devices/system/cpu/cpu3/cpufreq/scaling_governor",
                    "powersave",
                ),
            ],
        ),
        fixture(
            "boost",
            &[("sys/devices/system/cpu/intel_pstate/no_turbo", "1")],
            &[("sys/devices/system/cpu/cpufreq/boost", "1")],
        ),
        fixture("c_states", &state1("1"), &state1("0")),
        by_facts(
            "cpu_dma_latency",
            &[],
            latency_file(Ok(())),
            latency_file(Err("Permission denied".to_owned())),
        ),
        fixture(
            "smt",
            &[
                (
                    "sys/devices/system/cpu/cpu2/topology/thread_siblings_list",
                    "2",
                ),
                (
                    "sys/devices/system/cpu/cpu3/topology/thread_siblings_list",
                    "3",
                ),
            ],
            &[
                (
                    "sys/devices/system/cpu/cpu2/topology/thread_siblings_list",
                    "1-2",
                ),
                (
                    "sys/devices/system/cpu/cpu3/topology/thread_siblings_list",
                    "3",
                ),
            ],
        ),
        fixture(
            "clocksource",
            &[(CLOCKS, "tsc")],
            &[(CLOCKS, "hpet"), AVAILABLE],
        ),
        fixture(
            "tsc",
            &[
                (CLOCKS, "tsc"),
                ("proc/cpuinfo", "flags\t\t: fpu constant_tsc nonstop_tsc"),
            ],
            &[
                (CLOCKS, "tsc"),
                ("proc/cpuinfo", "flags\t\t: fpu constant_tsc"),
            ],
        ),
    ]
}

fn memory_and_devices() -> Vec<Fixture> {
    const MOUNTS: File = (
        "proc/mounts",
        "/dev/sda1 / ext4 rw 0 0\ntmpfs /dev/shm tmpfs rw,nosuid,nodev 0 0",
    );
    const SWAPS: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority";
    let free = |shm_free_bytes| Facts {
        shm_free_bytes: Some(shm_free_bytes),
        ..Facts::default()
    };
    let disk = |bytes_per_s| Facts {
        disk_bytes_per_s: Some(bytes_per_s),
        ..Facts::default()
    };
    vec![
        by_facts("shm", &[MOUNTS], free(8 << 30), free(16 << 20)),
        fixture(
            "thp",
            &[(
                "sys/kernel/mm/transparent_hugepage/enabled",
                "always [madvise] never",
            )],
            &[(
                "sys/kernel/mm/transparent_hugepage/enabled",
                "[always] madvise never",
            )],
        ),
        fixture(
            "swap",
            &[("proc/swaps", SWAPS)],
            &[(
                "proc/swaps",
                "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 8388604 0 -2",
            )],
        ),
        fixture(
            "numa_balancing",
            &[
                ("sys/devices/system/node/online", "0-1"),
                ("proc/sys/kernel/numa_balancing", "0"),
            ],
            &[
                ("sys/devices/system/node/online", "0-1"),
                ("proc/sys/kernel/numa_balancing", "1"),
            ],
        ),
        fixture(
            "hypervisor",
            &[("proc/cpuinfo", "flags\t\t: fpu sse")],
            &[("proc/cpuinfo", "flags\t\t: fpu hypervisor sse")],
        ),
        fixture(
            "steal",
            &[(
                "proc/stat",
                "cpu2 500 0 0 500 0 0 0 0 0 0\ncpu3 500 0 0 500 0 0 0 0 0 0",
            )],
            &[(
                "proc/stat",
                "cpu2 500 0 0 500 0 0 0 0 0 0\ncpu3 500 0 0 480 0 0 0 20 0 0",
            )],
        ),
        by_facts("disk", &[], disk(500e6), disk(10e6)),
        fixture(
            "ftdi_latency",
            &[("sys/bus/usb-serial/devices/ttyUSB0/latency_timer", "1")],
            &[("sys/bus/usb-serial/devices/ttyUSB0/latency_timer", "16")],
        ),
        by_facts("wake_ups", &[], measured(60_000, 0), measured(400_000, 0)),
        by_facts(
            "spin_gaps",
            &[],
            measured(0, 20_000),
            measured(0, 3_000_000),
        ),
    ]
}
