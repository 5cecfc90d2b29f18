"""Connections are open files: as many as the system allows are asked for, and a lack is told."""

import resource

import structlog

KEPT_BACK = 256
"""For the database, the broker, REST and logs."""

log = structlog.get_logger()


def raise_limit() -> int:
    """Allow ourselves what we may have; returns how many files that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def check_limit(gateways: int, limit: int) -> bool:
    """Whether so many gateways can be connected to; if not, a line in the log says what to do."""
    if gateways + KEPT_BACK <= limit:
        return True
    log.error(
        "too_few_open_files",
        gateways=gateways,
        limit=limit,
        advice="raise RLIMIT_NOFILE (LimitNOFILE= of systemd, ulimits of Docker) above "
        f"{gateways + KEPT_BACK}, or start more workers",
    )
    return False
