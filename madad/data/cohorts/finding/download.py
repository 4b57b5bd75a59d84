"""Downloading the files of a data set: resumed after an interruption, verified, and unpacked completely or not at all."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import tarfile
import time
import urllib.error
import urllib.request
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

from madad.configuration import cohort_cards
from madad.core import logs
from madad.core.errors import UserError
from madad.core.provenance import write_json

BLOCK = 1 << 20
TIMEOUT_S = 60.0
# The server counts as unreachable after so many consecutive failures without a single byte.
TRIES = 5
# Delay before the second try; it doubles before each further one.
WAIT_S = 1.0
BUSY = (408, 425, 429)
KEPT = "what was downloaded so far is kept, and the next run continues from there"


class _BrokenOffError(Exception):
    """A transfer that may succeed when tried again."""


def fetch_data_set(kind: str, folder: Path, modalities: list[str], mirror: str | None = None) -> list[dict[str, str]]:
    """Download and unpack the files of a data set that are needed and do not exist yet.

    Args:
        kind: kind of cohort, whose card names address and files.
        folder: folder for the files; an archive a.tar becomes the folder a.
        modalities: sequences to download; files of no particular sequence are always downloaded.
        mirror: address of another folder with the same files.

    Returns:
        name, address and MD5 sum of every file.

    Raises:
        UserError: a kind that cannot be downloaded, no network, no such file, a wrong checksum, a full disk.
    """
    source = cohort_cards.card(kind).get("download")
    if not source:
        raise UserError(f"download: {kind} cannot be downloaded by a program.\n{cohort_cards.directions(kind)}")
    records = []
    for file in source["files"]:
        if file.get("modality") not in (None, *modalities):
            continue
        url = f"{(mirror or source['address']).rstrip('/')}/{file['name']}"
        try:
            _provide(url, folder / file["name"], file["md5"])
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(
                f"{folder}: cannot be written ({reason}); free disk space or correct the permissions: {KEPT}"
            ) from None
        except UserError as error:
            raise UserError(f"{error}\nTo get it by hand, with a root:\n{cohort_cards.directions(kind)}") from None
        records.append({"name": file["name"], "address": url, "md5": file["md5"]})
    return records


def fetch(url: str, path: Path, md5: str) -> None:
    """Download one file, which appears under its name only when complete and verified.

    Raises:
        UserError: it cannot be downloaded, or its checksum is wrong.
    """
    unfinished, failures = _unfinished(path), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        before = _size(unfinished)
        try:
            _transfer(url, path)
            break
        except _BrokenOffError as error:
            failures = 1 if _size(unfinished) > before else failures + 1
            if failures >= TRIES:
                raise UserError(
                    f"{url}: cannot be downloaded ({error}); check the network, or name a proxy in https_proxy: {KEPT}"
                ) from None
            logs.warn(f"{url}: {error}; trying again")
            time.sleep(WAIT_S * 2 ** (failures - 1))
    found = _md5(unfinished)
    if found != md5:
        _forget(path)
        raise UserError(
            f"{url}: the MD5 sum is {found} instead of {md5}; the file was damaged on the way, or has changed at its source; "
            "the download was deleted, run again"
        )
    os.replace(unfinished, path)
    _state(path).unlink(missing_ok=True)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive and delete it; the folder appears under its name only when complete.

    Raises:
        UserError: the archive cannot be read, or has paths that lead out of its folder.
    """
    unfinished = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(unfinished, ignore_errors=True)  # left by a run that was killed
    unfinished.mkdir(parents=True)
    try:
        with tarfile.open(archive) as tar:
            for member in logs.progress(tar.getmembers(), f"unpacking {archive.name}"):
                tar.extract(member, unfinished, filter="data")
        os.replace(unfinished, folder)
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{archive}: cannot be unpacked ({error}); delete it and run again") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    archive.unlink()


def _provide(url: str, path: Path, md5: str) -> None:
    folder = path.with_suffix("") if path.suffix == ".tar" else None
    if folder and folder.is_dir():
        path.unlink(missing_ok=True)  # unpacked by a run that was killed before this line
        logs.say(f"{folder} exists already")
        return
    if path.exists() and _md5(path) == md5:
        logs.say(f"{path} exists already")
    else:
        fetch(url, path, md5)
    if folder:
        unpack(path, folder)


def _transfer(url: str, path: Path) -> None:
    """Download the rest of a partial file.

    Raises:
        _BrokenOffError: another try may succeed.
        UserError: another try cannot succeed.
    """
    known = _known(url, path)
    have = _size(_unfinished(path)) if known else 0
    if known and have == known["size"]:
        return
    request = urllib.request.Request(url, headers={"User-Agent": "madad", "Accept-Encoding": "identity"})
    if known and have:
        request.add_header("Range", f"bytes={have}-")
        validator = known["modified"] if known["etag"].startswith("W/") else known["etag"] or known["modified"]
        if validator:  # a weak ETag cannot stand for bytes (RFC 9110, section 13.1.5)
            request.add_header("If-Range", validator)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            _receive(response, url, path, known if have else None, have)
    except urllib.error.HTTPError as error:
        _give_up_or_retry(error, url, path)
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _BrokenOffError(str(getattr(error, "reason", None) or error or type(error).__name__)) from None


def _give_up_or_retry(error: urllib.error.HTTPError, url: str, path: Path) -> None:
    if error.code == 416:  # the position is beyond the end: the file is shorter now
        _forget(path)
        raise _BrokenOffError("the file has changed at its source, starting again") from None
    if error.code in BUSY or error.code >= 500:
        raise _BrokenOffError(f"the server answers {error.code} {error.reason}") from None
    raise UserError(f"{url}: the server answers {error.code} {error.reason}; check whether the address has changed") from None


def _receive(response: http.client.HTTPResponse, url: str, path: Path, known: dict[str, Any] | None, have: int) -> None:
    version = _version(response, url)
    if response.status == 206:
        span, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        version["size"] = int(total) if total.isdigit() else None
        if not span.startswith(f"{have}-") or version != known:
            _forget(path)
            raise _BrokenOffError("the file has changed at its source, starting again")
    else:  # the whole file, also from a server that does not support ranges
        have = 0
        _forget(path)
        write_json(_state(path), version)
    size, progress = version["size"], partial(logs.progress, description=f"{path.name} (MiB)")
    with open(_unfinished(path), "ab") as stream:
        blocks, start = iter(lambda: response.read(BLOCK), b""), have // BLOCK
        for block in blocks if size is None else progress(blocks, total=start + ceil((size - have) / BLOCK), start=start):
            stream.write(block)
    if size is not None and _size(_unfinished(path)) < size:
        raise _BrokenOffError("the connection broke off")


def _version(response: http.client.HTTPResponse, url: str) -> dict[str, Any]:
    """Return what distinguishes this version of a file from others."""
    etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    length = response.headers.get("Content-Length", "")
    return {"url": url, "etag": etag, "modified": modified, "size": int(length) if length.isdigit() else None}


def _known(url: str, path: Path) -> dict[str, Any] | None:
    """Return the version of the file that the partial file belongs to; None if there is none from this address."""
    try:
        known = json.loads(_state(path).read_text())
    except (FileNotFoundError, ValueError):
        return None
    whole = isinstance(known, dict) and known.keys() >= {"url", "etag", "modified", "size"}
    return known if whole and known["url"] == url else None


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _state(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial.json")


def _forget(path: Path) -> None:
    _state(path).unlink(missing_ok=True)
    _unfinished(path).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _md5(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
