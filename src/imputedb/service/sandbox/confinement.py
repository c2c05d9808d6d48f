"""The confinement of a process by Landlock, seccomp and limits: no network, no programs, few readable files."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from imputedb.errors import StorageError

_ROOM = 4 << 30
"""Bytes of address space in addition to four times DuckDB's memory limit: programs, libraries, stacks of threads."""

_FILES = 256
"""Maximum number of open files."""

_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo",
           "/proc/meminfo", "/proc/cpuinfo", "/proc/self/cgroup", "/sys/fs/cgroup", "/sys/devices/system/cpu",
            "/dev/null", "/dev/urandom")  # fmt: skip
"""Parts of the system that programs need to read: libraries, and the size of the machine."""

# of linux/landlock.h
_CREATE, _ADD, _RESTRICT, _PATH = 444, 445, 446, 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_OF_FILES = (1 << 15) - 1
_IOCTL, _TCP = 1 << 15, 0b11
_LEAST = 3
"""The first ABI version of Landlock that controls truncation of files."""

# of linux/prctl.h, linux/seccomp.h, linux/audit.h
_DUMPABLE, _SECCOMP, _NO_PRIVILEGES, _FILTER = 4, 22, 38, 2
_ALLOW, _REFUSE, _X32 = 0x7FFF0000, 0x00050000 | 1, 0x40000000
_UNKNOWN, _CLONE3, _THREAD = 0x00050000 | 38, 435, 0x10000
_CLONE = {0xC000003E: 56, 0xC00000B7: 220}
_ARCHITECTURES: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "x86_64": (0xC000003E, {
        # others: the network, shared memory and queues, signals, other processes
        "socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50, "socketpair": 53, "accept4": 288,
        "shmget": 29, "shmat": 30, "semget": 64, "msgget": 68, "mq_open": 240, "add_key": 248, "request_key": 249,
        "keyctl": 250, "kill": 62, "tkill": 200, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "ptrace": 101,
        "setpriority": 141, "sched_setparam": 142, "sched_setscheduler": 144, "sched_setaffinity": 203,
        "sched_setattr": 314, "ioprio_set": 251, "migrate_pages": 256, "move_pages": 279, "kcmp": 312,
        "process_vm_readv": 310, "process_vm_writev": 311,
        # other programs, limits
        "fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "setrlimit": 160,
        # file operations that Landlock does not cover: modes, owners, times, attributes, handles
        "chmod": 90, "fchmod": 91, "fchmodat": 268, "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260,
        "utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280, "setxattr": 188, "lsetxattr": 189,
        "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "open_by_handle_at": 304,
        # the system
        "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308, "bpf": 321,
        "perf_event_open": 298, "userfaultfd": 323, "syslog": 103, "acct": 163, "settimeofday": 164,
        "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305, "swapon": 167, "swapoff": 168, "reboot": 169,
        "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176,
        "finit_module": 313, "quotactl": 179, "kexec_load": 246, "kexec_file_load": 320,
    }),
    "aarch64": (0xC00000B7, {
        "socket": 198, "connect": 203, "accept": 202, "bind": 200, "listen": 201, "socketpair": 199, "accept4": 242,
        "shmget": 194, "shmat": 196, "semget": 190, "msgget": 186, "mq_open": 180, "add_key": 217, "request_key": 218,
        "keyctl": 219, "kill": 129, "tkill": 130, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240, "ptrace": 117,
        "setpriority": 140, "sched_setparam": 118, "sched_setscheduler": 119, "sched_setaffinity": 122,
        "sched_setattr": 274, "ioprio_set": 30, "migrate_pages": 238, "move_pages": 239, "kcmp": 272,
        "process_vm_readv": 270, "process_vm_writev": 271, "execve": 221, "execveat": 281, "setrlimit": 164,
        "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55, "utimensat": 88, "setxattr": 5, "lsetxattr": 6,
        "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "open_by_handle_at": 265,
        "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97, "setns": 268, "bpf": 280,
        "perf_event_open": 241, "userfaultfd": 282, "syslog": 116, "acct": 89, "settimeofday": 170,
        "clock_settime": 112, "adjtimex": 171, "clock_adjtime": 266, "swapon": 224, "swapoff": 225, "reboot": 142,
        "sethostname": 161, "setdomainname": 162, "init_module": 105, "delete_module": 106, "finit_module": 273,
        "quotactl": 60, "kexec_load": 104, "kexec_file_load": 294,
    }),
}  # fmt: skip
"""Number of each machine type, and the numbers of refused system calls."""

_SINCE = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432,
    "pidfd_open": 434, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "process_mrelease": 448,
    "fchmodat2": 452, "setxattrat": 463, "removexattrat": 466, "file_setattr": 469,
}  # fmt: skip
"""Further refused system calls, whose numbers are the same on all machines."""

_SIGNAL = {0xC000003E: 234, 0xC00000B7: 131}
"""Numbers of tgkill, which is allowed for the process itself: it raises its own signals by it."""

_LIMITS = {0xC000003E: 302, 0xC00000B7: 261}
"""Numbers of prlimit64, which may read limits but not set them."""


def check() -> None:
    """Checks that the system can confine a process.

    Raises:
        StorageError: it cannot; the message names what is missing.
    """
    if platform.machine() not in _ARCHITECTURES or sys.platform != "linux" or _landlock() < _LEAST:
        raise StorageError(
            "--sandbox needs Linux 6.2 or later on x86_64 or aarch64, with Landlock: leave it out, "
            "or confine the service by a container"
        )


def confine(readable: Sequence[Path], memory: int) -> None:
    """Confines this process, before it starts threads: it can read some files and folders, and write none.

    Args:
        readable: readable files and folders, besides those of Python and of the system.
        memory: memory limit of DuckDB in bytes.

    Raises:
        StorageError: the system cannot confine the process.
    """
    check()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for what, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, _FILES),
                       (resource.RLIMIT_AS, 4 * memory + _ROOM)):  # fmt: skip
        resource.setrlimit(what, (most, most))
    for option, value in ((_DUMPABLE, 0), (_NO_PRIVILEGES, 1)):
        _called(_libc().prctl, option, value, 0, 0, 0)
    libraries = [path for path in map(Path, (*sys.path, sys.prefix, sys.base_prefix)) if path.is_absolute()]
    _files([*libraries, *map(Path, _SYSTEM), *readable])
    _calls()


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _called(function: object, *given: object) -> int:
    found = int(function(*given))  # type: ignore[operator]
    if found < 0:
        raise StorageError(f"this process cannot be confined: {os.strerror(ctypes.get_errno())}")
    return found


def _landlock() -> int:
    """The ABI version of Landlock; below 1 without Landlock."""
    return int(_libc().syscall(_CREATE, None, ctypes.c_size_t(0), 1))


def _files(readable: Sequence[Path]) -> None:
    """Restricts file access to reading the given paths, and forbids TCP (Landlock)."""
    version, call = _landlock(), _libc().syscall
    fields = [_OF_FILES | (_IOCTL if version >= 5 else 0), *([_TCP] if version >= 4 else [])]
    rules = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _called(call, _CREATE, rules, ctypes.c_size_t(len(rules)), 0)
    for path in readable:
        if not path.exists() or path == Path("/"):
            continue
        rights = _READ_FILE | ((_READ_DIR | _EXECUTE) if path.is_dir() else 0)
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        _called(call, _ADD, ruleset, _PATH, struct.pack("=Qi", rights, descriptor), 0)
        if not path.is_relative_to("/proc"):  # another file may have the same number once nobody has this one open
            os.close(descriptor)
    _called(call, _RESTRICT, ruleset, 0)
    os.close(ruleset)


def _calls() -> None:
    """Refuses system calls for the network, other processes, programs, and files beyond Landlock (seccomp)."""
    machine, numbers = _ARCHITECTURES[platform.machine()]
    load, equal, above, has, end = 0x20, 0x15, 0x35, 0x45, 0x06
    steps = [(load, 0, 0, 4), (equal, 1, 0, machine), (end, 0, 0, _REFUSE), (load, 0, 0, 0)]
    steps += [(above, 0, 1, _X32), (end, 0, 0, _REFUSE)]
    for number in (*numbers.values(), *_SINCE.values()):
        steps += [(equal, 0, 1, number), (end, 0, 0, _REFUSE)]
    steps += [(equal, 0, 4, _SIGNAL[machine]), (load, 0, 0, 16), (equal, 0, 1, os.getpid())]
    steps += [(end, 0, 0, _ALLOW), (end, 0, 0, _REFUSE)]
    steps += [(equal, 0, 6, _LIMITS[machine]), (load, 0, 0, 32), (equal, 0, 3, 0), (load, 0, 0, 36), (equal, 0, 1, 0)]
    steps += [(end, 0, 0, _ALLOW), (end, 0, 0, _REFUSE)]
    steps += [(equal, 0, 1, _CLONE3), (end, 0, 0, _UNKNOWN)]  # the C library then creates threads by the other call
    steps += [(equal, 0, 3, _CLONE[machine]), (load, 0, 0, 16), (has, 1, 0, _THREAD), (end, 0, 0, _REFUSE)]
    steps += [(end, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    _called(_libc().prctl, _SECCOMP, _FILTER, program, 0, 0)
