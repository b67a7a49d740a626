"""What the lenses make of text that no kernel wrote: a value or a named error, never anything else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lens_exporter.lenses import cgroup, mounts, reading
from lens_exporter.lenses.commandline import redacted, shown
from lens_exporter.lenses.host import kernel
from lens_exporter.lenses.locality import address
from lens_exporter.lenses.python import open_files, process
from tests.unit.lenses.trees import LIMITS, MEMINFO, MOUNTS, PRESSURE, STAT, stat_line

KNOWN = [
    MEMINFO,
    STAT,
    MOUNTS,
    PRESSURE,
    LIMITS,
    stat_line(1),
    "0::/a/b\n",
    "1.0 2.0 3.0 4/5 6\n",
    "655\t0\t100000\n",
    "max 100000",
]


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """Something a kernel wrote, cut and with a piece of anything put in."""
    text = draw(st.sampled_from(KNOWN))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, len(text)))
    return text[:start] + draw(st.text(max_size=30)) + text[end:]


ANY = st.one_of(st.text(), spoilt(), st.text(alphabet="0123456789 \n:=.-/()maxcpuMT,"))
PARSERS = [
    kernel.memory,
    lambda text: kernel.cpu(text, 100),
    lambda text: kernel.open_files(text, text),
    kernel.load,
    kernel.pressure,
    mounts.parse,
    cgroup.places,
    reading.number,
    reading.limit,
    reading.keyed,
    process.stat,
    process.limits,
]


@pytest.mark.parametrize("parse", PARSERS)
@given(text=ANY)
@example(text="²")
@example(text="9" * 400)
@example(text="٣")
def test_parsers_never_crash(parse, text):
    """Every parser gives a value or raises ValueError."""
    try:
        parse(text)
    except ValueError:
        return


@given(placed=ANY, mounted=ANY, controller=st.sampled_from(["memory", "cpu", "pids"]))
def test_cgroup_directories_stay_inside(placed, mounted, controller):
    """Whatever the texts say, every directory looked into lies inside the mount."""
    known = mounts.parse(mounted)
    _, found = cgroup.groups(cgroup.places(placed), known, controller)
    for path in found:
        assert ".." not in path.parts
        assert any(path.is_relative_to(mount.mountpoint) for mount in known)


@given(
    used=st.lists(st.tuples(st.integers(0, 10**12), st.one_of(st.none(), st.integers(1, 10**12))), max_size=6),
)
def test_fullest_level(used):
    """The fullest level is one of them, and no other has a higher ratio."""
    levels = [cgroup.Usage(u, limit) for u, limit in used]
    found = cgroup.fullest(levels)
    ratios = [level.ratio for level in levels if level.ratio is not None]
    assert (found is None) == (not ratios)
    assert found is None or found.ratio == max(ratios)


@given(text=st.text(max_size=2000), limit=st.integers(1, 300))
def test_shown_is_printable_and_short(text, limit):
    """A stranger's text comes out on one printable line of about the limit."""
    out = shown(text, limit)
    assert out.isprintable() or out == ""
    assert len(out) <= limit + 30


SECRET = st.from_regex(r"[A-Za-z0-9]{12,40}", fullmatch=True).map(lambda s: f"zq{s}")


@given(
    secret=SECRET,
    form=st.sampled_from(
        [
            ["app", "--password={}"],
            ["app", "--db-password", "{}"],
            ["app", "--api-key", "{}"],
            ["app", "-token={}"],
            ["env", "AWS_SECRET_ACCESS_KEY={}", "app"],
            ["app", "postgres://user:{}@db:5432/x"],
            ["curl", "-H", "Authorization: Bearer {}"],
            ["sh", "-c", "app --token {} --verbose"],
            ["app", '{{"password": "{}"}}'],
            ["mysql", "-p{}"],
            ["python app.py --secret={}"],
            ["app", "sk-{}"],
            ["app", "--token", "--{}"],
            ["app", "--use-auth", "--token", "{}"],
        ]
    ),
    before=st.lists(st.from_regex(r"[a-z/.]{1,12}", fullmatch=True), max_size=3),
)
def test_secrets_leave_no_command_line(secret, form, before):
    """A password, token or key in any usual form is not in what is shown."""
    words = [form[0], *before, *form[1:]] if form[0] in {"app", "curl", "mysql", "env"} else form
    out = redacted([word.format(secret) for word in words])
    assert secret not in out
    assert "[redacted]" in out


@given(words=st.lists(st.text(max_size=3000), max_size=20))
def test_command_lines_never_crash(words):
    """A hostile command line comes out printable and bounded."""
    out = redacted(words)
    assert len(out) < 400
    assert out.isprintable() or out == ""


@given(targets=st.lists(st.one_of(st.text(), st.from_regex(r"/tmp/[a-z]+-[a-z0-9]{8}\.(csv|log)", fullmatch=True)), max_size=60))
def test_every_open_file_is_counted_once(targets):
    """Groups add up to the files, kinds add up to all descriptors."""
    found = open_files.grouped(targets)
    assert sum(found.kinds.values()) == found.total == len(targets)
    assert sum(group.count for group in found.groups) == found.kinds.get("files", 0)


@given(text=st.text(max_size=100))
def test_any_instance_label(text):
    """Any label value splits into host and port without a crash."""
    host, port = address(text)
    assert host is None or isinstance(host, str)
    assert port is None or port >= 0
