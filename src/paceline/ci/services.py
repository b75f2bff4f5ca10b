"""The services that tests can have beside them in CI, without a password to keep secret."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """A server that CI starts for the tests of one job."""

    name: str
    image: str
    port: int
    #: Variables of the server itself.
    server: tuple[tuple[str, str], ...]
    #: Variables by which the tests find it, with `{host}` for its host.
    client: tuple[tuple[str, str], ...]
    #: Options that make the provider wait until it answers.
    health: str

    def variables(self, host: str) -> list[tuple[str, str]]:
        """Return what the tests' environment needs to find the service on `host`."""
        return [(name, value.replace("{host}", host)) for name, value in self.client]


SERVICES = {
    "postgres": Service(
        "postgres",
        "postgres:17",
        5432,
        # Reachable from this job only, and gone with it.
        (("POSTGRES_HOST_AUTH_METHOD", "trust"), ("POSTGRES_DB", "tests")),
        (
            ("PGHOST", "{host}"),
            ("PGPORT", "5432"),
            ("PGUSER", "postgres"),
            ("PGDATABASE", "tests"),
        ),
        "--health-cmd pg_isready --health-interval 2s --health-timeout 2s --health-retries 30",
    ),
    "redis": Service(
        "redis",
        "redis:7",
        6379,
        (),
        (("REDIS_URL", "redis://{host}:6379/0"),),
        '--health-cmd "redis-cli ping" --health-interval 2s --health-timeout 2s'
        " --health-retries 30",
    ),
}
