"""Files for output: whole in their place, or what was there before."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lens_exporter.errors import TableUnwritable
from lens_exporter.foundation.output import output


def write(path, text=b"new"):
    with output(path) as file:
        file.stream.write(text)
        return file.replaces


def fail(path, error):
    with output(path) as file:
        file.stream.write(b"half")
        raise error


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_nothing_is_seen_before_all_is_written(tmp_path):
    """The earlier file is read until the end, and then the new one; nothing else is left in the folder."""
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    with output(path) as file:
        file.stream.write(b"new")
        file.stream.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, b"old"])
def test_what_fails_leaves_the_folder_as_it_was(tmp_path, error, before):
    """Whatever ends the block: the earlier file stands, the unfinished one is gone."""
    path = tmp_path / "out.csv"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(error):
        fail(path, error)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == ([] if before is None else [before])


def test_modes_are_those_of_any_file(tmp_path):
    """A new one as the umask has it, one that is there as it was."""
    before = os.umask(0o027)
    try:
        write(tmp_path / "new")
        (tmp_path / "old").touch()
        (tmp_path / "old").chmod(0o604)
        write(tmp_path / "old")
    finally:
        os.umask(before)
    assert (mode(tmp_path / "new"), mode(tmp_path / "old")) == (0o640, 0o604)


@pytest.mark.parametrize("exists", [True, False])
def test_links_are_followed(tmp_path, exists):
    """The file behind the link is written, in its own folder, and the link stays one."""
    (tmp_path / "far").mkdir()
    link, real = tmp_path / "out.csv", tmp_path / "far" / "real.csv"
    link.symlink_to("far/real.csv")
    if exists:
        real.write_bytes(b"old")
    assert write(link)
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert list((tmp_path / "far").iterdir()) == [real]


def test_a_pipe_is_written_as_it_goes(tmp_path):
    """It stays a pipe, and its reader has each piece at once."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    assert not write(path)
    reader.join(10)
    assert read == [b"new"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_what_is_open_already_is_not_replaced(tmp_path):
    """/dev/fd/N may lead to a plain file, which whoever opened it goes on writing to."""
    with (tmp_path / "log").open("ab") as log:
        assert not write(Path(f"/dev/fd/{log.fileno()}"))
        log.write(b" more")
        log.flush()
        assert os.fstat(log.fileno()).st_ino == (tmp_path / "log").stat().st_ino
    assert (tmp_path / "log").read_bytes() == b"new more"


def test_names_may_be_as_long_as_names_can_be(tmp_path):
    """The unfinished file's name is no longer."""
    write(tmp_path / ("x" * 255))
    assert [path.name for path in tmp_path.iterdir()] == ["x" * 255]


@pytest.mark.parametrize("name", ["", "no/such/folder.csv"])
def test_what_cannot_be_written_is_named(tmp_path, name):
    """A folder, or one that is not there."""
    with pytest.raises(TableUnwritable, match=r"cannot write .*: (Is a directory|No such file)"):
        write(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_modes_hold(tmp_path):
    """A file that may not be written is not replaced; one that may be is written as it goes where its folder takes no other."""
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(TableUnwritable, match="Permission denied"):
        write(path)
    path.chmod(0o644)
    tmp_path.chmod(0o555)
    try:
        assert not write(path)
    finally:
        tmp_path.chmod(0o755)
    assert path.read_bytes() == b"new"


def test_what_has_another_name_or_is_a_standard_stream_is_written_as_it_goes(tmp_path):
    """Replaced, the other name would keep what was; and a log would lose what the shell writes to it next."""
    path, other = tmp_path / "out.csv", tmp_path / "other.csv"
    path.write_bytes(b"old")
    other.hardlink_to(path)
    assert not write(path)
    assert other.read_bytes() == b"new"
    log, link = tmp_path / "log", tmp_path / "link"
    link.symlink_to("/dev/stdout")
    code = f"""
from pathlib import Path
from lens_exporter.foundation.output import output
with output(Path({str(link)!r})) as it:
    print(it.replaces)
"""
    with log.open("ab") as file:
        number = file.fileno()
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
        assert os.fstat(number).st_ino == log.stat().st_ino
    assert log.read_text() == "False\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts, and takes another's place")
def test_what_is_mounted_or_belongs_to_somebody_else_is_written_as_it_goes(tmp_path):
    """Neither can be replaced by what we make."""
    path, other = tmp_path / "a file", tmp_path / "other"
    path.write_bytes(b"old")
    other.write_bytes(b"other")
    if subprocess.run(["mount", "--bind", other, path], check=False, stderr=subprocess.DEVNULL).returncode == 0:
        try:
            assert not write(path)
            assert other.read_bytes() == b"new"
        finally:
            subprocess.run(["umount", path], check=True)
    tmp_path.chmod(0o777)
    path.chmod(0o666)
    code = """
import os
from pathlib import Path
from lens_exporter.foundation.output import output
os.setgroups([])
os.setegid(65534)
os.seteuid(65534)
with output(Path("a file")) as it:
    print(it.replaces)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"False\n"
    assert path.stat().st_uid == 0
