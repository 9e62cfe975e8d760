"""Takes down the present environment: what is installed, on what machine, with which threads.

It runs at the start of every run, so nothing is imported for it and no process is started: 2 ms over 140 distributions.
Of the environment variables only those named here are read; no other value can reach a record.
"""

# os.path and open: at the start of every run
# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from treadle.ground import digests
from treadle.kernel.engine.environment.distributions import installed
from treadle.kernel.engine.environment.git import git_state
from treadle.kernel.engine.environment.records import Environment, ThreadPool

SETTINGS = (
    "OMP_NUM_THREADS", "OMP_DYNAMIC", "OMP_SCHEDULE", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "MKL_NUM_THREADS",
    "MKL_CBWR", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "CUBLAS_WORKSPACE_CONFIG", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
"""The variables whose values are recorded: thread counts, the choice of CPU kernel, the hash seed."""

_LOCKS = ("uv.lock", "pylock.toml", "poetry.lock", "pdm.lock", "requirements.txt")

_cpu: str | None = None


def capture(project_root: str | os.PathLike[str] = ".") -> Environment:
    """The environment of this process now. project_root: where the lock file and the repository are looked for.

    The native thread pools are described once numpy is imported, by threadpoolctl. The first lock file found of
    uv.lock, pylock.toml, poetry.lock, pdm.lock and requirements.txt counts by its content.
    """
    implementation = sys.implementation.name
    distributions = installed()
    settings = {name: os.environ[name] for name in SETTINGS if name in os.environ}
    lock_digest = _lock_digest(project_root)
    python = ".".join(str(part) for part in sys.version_info[:3])
    cpu, machine, system = _cpu_model(), _machine(), _system()
    return Environment(
        digest=digests.of_json(
            [python, implementation, system, machine, cpu, _without_treadle(distributions), settings, lock_digest]
        ),
        python=python,
        implementation=implementation,
        system=system,
        machine=machine,
        cpu=cpu,
        cpu_count=os.cpu_count() or 1,
        distributions=distributions,
        settings=settings,
        pools=_pools(),
        lock_digest=lock_digest,
        git=git_state(project_root),
    )


def _without_treadle(distributions: Mapping[str, str]) -> dict[str, str]:
    return {name: version for name, version in distributions.items() if name != "treadle"}


def _lock_digest(folder: str | os.PathLike[str]) -> str | None:
    for name in _LOCKS:
        try:
            with open(os.path.join(folder, name), "rb") as file:
                return digests.of_bytes(file.read())
        except OSError:
            continue
    return None


def _system() -> str:
    """The system with its C library, without the kernel's build, which decides nothing: `linux glibc 2.36`."""
    try:
        return f"{sys.platform} {os.confstr('CS_GNU_LIBC_VERSION')}"
    except (AttributeError, ValueError, OSError):
        return sys.platform


def _machine() -> str:
    if hasattr(os, "uname"):
        return os.uname().machine
    return os.environ.get("PROCESSOR_ARCHITECTURE", "unknown").lower()


def _cpu_model() -> str:
    """The processor's name as the system gives it; asked once per process."""
    global _cpu
    if _cpu is None:
        _cpu = _from_cpuinfo() or _from_sysctl() or os.environ.get("PROCESSOR_IDENTIFIER", "") or _machine()
    return _cpu


def _from_cpuinfo() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() in ("model name", "Model", "cpu model"):
                    return value.strip()
    except OSError:
        pass
    return ""


def _from_sysctl() -> str:
    """The name on macOS, by the C library and without a process."""
    if sys.platform != "darwin":
        return ""
    import ctypes

    library = ctypes.CDLL(None)
    size = ctypes.c_size_t(256)
    buffer = ctypes.create_string_buffer(256)
    failed = library.sysctlbyname(b"machdep.cpu.brand_string", buffer, ctypes.byref(size), None, 0)
    return "" if failed else buffer.value.decode("utf-8", "replace")


def _pools() -> tuple[ThreadPool, ...]:
    if "numpy" not in sys.modules:
        return ()
    import threadpoolctl

    pools = [
        ThreadPool(
            role=str(each.get("user_api", "")),
            library=str(each.get("internal_api", "")),
            version=str(each.get("version") or ""),
            kernel=str(each.get("architecture") or ""),
            threads=int(each.get("num_threads") or 0),
        )
        for each in threadpoolctl.threadpool_info()
    ]
    return tuple(sorted(pools, key=lambda each: (each.role, each.library, each.version, each.kernel, each.threads)))
