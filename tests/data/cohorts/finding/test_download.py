from __future__ import annotations

import hashlib
import io
import json
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from madad.cli.main import main
from madad.configuration import cohort_cards
from madad.core.errors import UserError
from madad.data.cohorts.finding import download
from tests.data.cohorts.small_site import Site, serving

BODY = np.random.default_rng(0).bytes(10_000)
OTHER = np.random.default_rng(1).bytes(10_000)


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


def archive(*names: str) -> bytes:
    """Return a tar archive of small files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    return stream.getvalue()


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks and no waiting."""
    monkeypatch.setattr(download, "BLOCK", 512)
    monkeypatch.setattr(download, "WAIT_S", 0.0)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site({"a.bin": BODY})) as one:
        yield one


def fetch(site: Site, folder: Path, body: bytes = BODY) -> Path:
    download.fetch(f"{site.address}/a.bin", folder / "a.bin", md5(body))
    return folder / "a.bin"


def begun(site: Site, folder: Path, size: int) -> None:
    """Begin a download that stops after a number of bytes."""
    site.cuts, site.answers = [size], [200] + [503] * download.TRIES
    with pytest.raises(UserError):
        fetch(site, folder)
    assert (folder / "a.bin.partial").stat().st_size == size
    site.asked.clear()
    site.answers.clear()


def test_a_file_is_fetched_and_nothing_left_beside_it(site: Site, tmp_path: Path) -> None:
    assert fetch(site, tmp_path / "new folder").read_bytes() == BODY
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == ["a.bin"]


@pytest.mark.parametrize("validators", ["etag", "weak", "date", ""])
def test_a_connection_that_breaks_off_is_taken_up_where_it_broke(site: Site, tmp_path: Path, validators: str) -> None:
    site.validators, site.cuts = validators, [4000, 1024, 0]
    assert fetch(site, tmp_path).read_bytes() == BODY
    assert site.asked == ["", "bytes=4000-", "bytes=5024-", "bytes=5024-"]


def test_the_next_run_goes_on(site: Site, tmp_path: Path) -> None:
    begun(site, tmp_path, 4000)
    assert fetch(site, tmp_path).read_bytes() == BODY
    assert site.asked == ["bytes=4000-"]


def test_a_complete_partial_file_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    begun(site, tmp_path, 4000)
    (tmp_path / "a.bin.partial").write_bytes(BODY)
    assert fetch(site, tmp_path).read_bytes() == BODY
    assert site.asked == []


def test_a_server_without_ranges_sends_it_all_again(site: Site, tmp_path: Path) -> None:
    begun(site, tmp_path, 4000)
    site.ranges = False
    assert fetch(site, tmp_path).read_bytes() == BODY
    assert site.asked == ["bytes=4000-"]


@pytest.mark.parametrize("honest", [True, False])
@pytest.mark.parametrize("validators", ["etag", "weak", "date"])
def test_a_file_that_has_changed_meanwhile_is_begun_anew(site: Site, tmp_path: Path, validators: str, honest: bool) -> None:
    site.validators, site.honest = validators, honest
    begun(site, tmp_path, 4000)
    site.files["a.bin"] = OTHER
    assert fetch(site, tmp_path, OTHER).read_bytes() == OTHER


def test_a_file_that_is_shorter_now_is_begun_anew(site: Site, tmp_path: Path) -> None:
    site.validators = ""
    begun(site, tmp_path, 4000)
    site.files["a.bin"] = BODY[:3000]
    assert fetch(site, tmp_path, BODY[:3000]).read_bytes() == BODY[:3000]


def test_a_part_of_a_file_of_another_address_is_not_gone_on_with(site: Site, tmp_path: Path) -> None:
    begun(site, tmp_path, 4000)
    state = json.loads((tmp_path / "a.bin.partial.json").read_text())
    (tmp_path / "a.bin.partial.json").write_text(json.dumps({**state, "url": "http://elsewhere/a.bin"}))
    assert fetch(site, tmp_path).read_bytes() == BODY
    assert site.asked == [""]


def test_a_wrong_checksum_is_refused_and_the_file_deleted(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"a\.bin: the MD5 sum is {md5(BODY)} instead of {md5(OTHER)}"):
        fetch(site, tmp_path, OTHER)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_is_said_at_once(site: Site, tmp_path: Path) -> None:
    del site.files["a.bin"]
    with pytest.raises(UserError, match="the server answers 404"):
        fetch(site, tmp_path)
    assert len(site.asked) == 1


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.answers = [503, 429, 500]
    assert fetch(site, tmp_path).read_bytes() == BODY


def test_no_network_is_told_with_what_to_do(tmp_path: Path) -> None:
    with serving(Site({})) as gone:
        pass
    with pytest.raises(UserError, match=r"cannot be downloaded.*refused.*check the network.*what was downloaded so far is kept"):
        fetch(gone, tmp_path)


def test_progress_is_shown(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(site, tmp_path)
    assert "a.bin (MiB): 20/20" in capsys.readouterr().err


def test_an_archive_becomes_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(archive("one", "in/two"))
    (tmp_path / ".a.unpacking" / "left by a killed run").mkdir(parents=True)
    download.unpack(tmp_path / "a.tar", tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["a", "a/in", "a/in/two", "a/one"]


@pytest.mark.parametrize("body", [archive("../outside"), archive("/tmp/outside"), b"no archive", archive("one")[:700]])
def test_an_archive_that_leads_outside_or_is_none_leaves_nothing(tmp_path: Path, body: bytes) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "a.tar").write_bytes(body)
    if b"/tmp/outside" in body:  # made relative by the filter: harmless, and inside
        download.unpack(folder / "a.tar", folder / "a")
    else:
        with pytest.raises(UserError, match="cannot be unpacked"):
            download.unpack(folder / "a.tar", folder / "a")
        assert [path.name for path in folder.iterdir()] == ["a.tar"]
    assert [path.name for path in tmp_path.iterdir()] == ["downloads"]


@pytest.fixture
def ixi(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """IXI as a site of its own, with checksums to fit."""
    files = {f"IXI-{name}.tar": archive(f"IXI012-HH-1211-{name}.nii.gz") for name in ("T1", "T2", "PD")}
    files["IXI.xls"] = b"a table"
    card = cohort_cards.card("ixi")
    listed = [{**file, "md5": md5(files[file["name"]])} for file in card["download"]["files"]]
    monkeypatch.setitem(card, "download", {**card["download"], "files": listed})
    with serving(Site(files)) as one:
        yield one


def run(site: Site, folder: Path, *modalities: str) -> int:
    options = json.dumps({"kind": "ixi", "mirror": site.address, "modalities": list(modalities)})
    return main(["stage", "download", "--options", options, "--folder", str(folder), "--out", str(folder / "download.json")])


def test_only_what_is_wanted_is_fetched(ixi: Site, tmp_path: Path) -> None:
    assert run(ixi, tmp_path, "T2w") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["IXI-T2", "IXI.xls", "download.json"]
    told = json.loads((tmp_path / "download.json").read_text())
    assert [file["name"] for file in told["files"]] == ["IXI-T2.tar", "IXI.xls"]


def test_what_is_there_is_not_fetched_again(ixi: Site, tmp_path: Path) -> None:
    assert run(ixi, tmp_path, "T1w") == 0
    (tmp_path / "IXI-T1.tar").write_bytes(b"left by a run that was killed after unpacking")
    ixi.asked.clear()
    assert run(ixi, tmp_path, "T1w", "PDw") == 0
    assert len(ixi.asked) == 1 and not (tmp_path / "IXI-T1.tar").exists()


def test_errors_end_with_how_to_do_it_by_hand(ixi: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del ixi.files["IXI-T1.tar"]
    assert run(ixi, tmp_path, "T1w") == 1
    said = capsys.readouterr().err
    assert "404" in said and "To get it by hand, with a root:" in said and "https://brain-development.org/ixi-dataset/" in said
    assert "Traceback" not in said


def test_a_kind_that_asks_for_registration_is_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"brats cannot be downloaded by a program(.|\n)*synapse"):
        download.fetch_data_set("brats", tmp_path, ["T2w"])


def test_a_folder_that_cannot_be_written_is_named(ixi: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"file: cannot be written \(File exists\)"):
        download.fetch_data_set("ixi", tmp_path / "file", ["T1w"], ixi.address)


def test_a_killed_download_is_resumed_and_leaves_no_half_folder(tmp_path: Path) -> None:
    body = archive("one") + b"\0" * (3 << 20)
    with serving(Site({"a.tar": body}, cuts=[(2 << 20) + 5], stalls=True)) as site:
        code = "from pathlib import Path\nfrom madad.data.cohorts.finding import download\n"
        code += f"download._provide({site.address + '/a.tar'!r}, Path({str(tmp_path / 'a.tar')!r}), {md5(body)!r})"
        first = subprocess.Popen([sys.executable, "-c", code])
        partial, limit = tmp_path / "a.tar.partial", time.monotonic() + 600
        while (not partial.exists() or partial.stat().st_size < 2 << 20) and time.monotonic() < limit:
            time.sleep(0.05)
        assert partial.stat().st_size >= 2 << 20
        first.send_signal(signal.SIGKILL)
        first.wait()
        site.released.set()
        assert not (tmp_path / "a").exists() and not (tmp_path / "a.tar").exists()
        assert subprocess.run([sys.executable, "-c", code], check=True).returncode == 0
        assert site.asked[0] == "" and site.asked[1].startswith("bytes=") and site.asked[1] >= f"bytes={2 << 20}-"
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (tmp_path / "a" / "one").read_text() == "one"
