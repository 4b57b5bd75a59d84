"""Fetching the files of a data set: going on where it was cut off, checked, and unpacked as a whole or not at all."""

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
# So many failures one after another, with no byte between them, and the server counts as out of reach.
TRIES = 5
# Before the second try; twice as long before each further one.
WAIT_S = 1.0
BUSY = (408, 425, 429)
KEPT = "what has come so far is kept, and the next run goes on from there"


class _BrokenOffError(Exception):
    """A transfer that may succeed when tried again."""


def fetch_data_set(kind: str, folder: Path, modalities: list[str], mirror: str | None = None) -> list[dict[str, str]]:
    """Fetch and unpack the files of a data set that are wanted and not there yet.

    Args:
        kind: of cohort, whose card names address and files.
        folder: where they go; an archive a.tar becomes the folder a.
        modalities: sequences wanted; files of no sequence in particular are always fetched.
        mirror: address of another folder with the same files.

    Returns:
        Name, address and MD5 sum of every file.

    Raises:
        UserError: a kind that cannot be downloaded, no network, no such file, a wrong checksum, a full disk.
    """
    told = cohort_cards.card(kind).get("download")
    if not told:
        raise UserError(f"download: {kind} cannot be downloaded by a program.\n{cohort_cards.directions(kind)}")
    records = []
    for file in told["files"]:
        if file.get("modality") not in (None, *modalities):
            continue
        url = f"{(mirror or told['address']).rstrip('/')}/{file['name']}"
        try:
            _provide(url, folder / file["name"], file["md5"])
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(f"{folder}: cannot be written ({reason}); make room, or mend the permissions: {KEPT}") from None
        except UserError as error:
            raise UserError(f"{error}\nBy hand instead, with a root:\n{cohort_cards.directions(kind)}") from None
        records.append({"name": file["name"], "address": url, "md5": file["md5"]})
    return records


def fetch(url: str, path: Path, md5: str) -> None:
    """Fetch one file; it takes its name only when complete and right.

    Raises:
        UserError: it cannot be had, or its checksum is wrong.
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
                    f"{url}: cannot be fetched ({error}); is there a network, or a proxy to be named in https_proxy? {KEPT}"
                ) from None
            logs.warn(f"{url}: {error}; trying again")
            time.sleep(WAIT_S * 2 ** (failures - 1))
    found = _md5(unfinished)
    if found != md5:
        _forget(path)
        raise UserError(
            f"{url}: the MD5 sum is {found} instead of {md5}; the file was damaged on the way, or has changed at its source; "
            "what came was deleted, run again"
        )
    os.replace(unfinished, path)
    _state(path).unlink(missing_ok=True)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive, which is deleted then; the folder takes its name only when complete.

    Raises:
        UserError: no archive that can be read, or one with paths that lead out of it.
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
        path.unlink(missing_ok=True)  # unpacked, but killed before this
        logs.say(f"{folder} is there already")
        return
    if path.exists() and _md5(path) == md5:
        logs.say(f"{path} is there already")
    else:
        fetch(url, path, md5)
    if folder:
        unpack(path, folder)


def _transfer(url: str, path: Path) -> None:
    """Bring the partial file to its full size.

    Raises:
        _BrokenOffError: it may work when tried again. UserError: it will not.
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
    if error.code == 416:  # there is no such place in the file: it is shorter now
        _forget(path)
        raise _BrokenOffError("the file has changed at its source, starting anew") from None
    if error.code in BUSY or error.code >= 500:
        raise _BrokenOffError(f"the server answers {error.code} {error.reason}") from None
    raise UserError(f"{url}: the server answers {error.code} {error.reason}; look whether the address has changed") from None


def _receive(response: http.client.HTTPResponse, url: str, path: Path, known: dict[str, Any] | None, have: int) -> None:
    told = _told(response, url)
    if response.status == 206:
        span, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        told["size"] = int(total) if total.isdigit() else None
        if not span.startswith(f"{have}-") or told != known:
            _forget(path)
            raise _BrokenOffError("the file has changed at its source, starting anew")
    else:  # the whole file, also from a server that cannot do otherwise
        have = 0
        _forget(path)
        write_json(_state(path), told)
    size, progress = told["size"], partial(logs.progress, description=f"{path.name} (MiB)")
    with open(_unfinished(path), "ab") as stream:
        blocks, start = iter(lambda: response.read(BLOCK), b""), have // BLOCK
        for block in blocks if size is None else progress(blocks, total=start + ceil((size - have) / BLOCK), start=start):
            stream.write(block)
    if size is not None and _size(_unfinished(path)) < size:
        raise _BrokenOffError("the connection broke off")


def _told(response: http.client.HTTPResponse, url: str) -> dict[str, Any]:
    """What tells this version of a file from another one."""
    etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    length = response.headers.get("Content-Length", "")
    return {"url": url, "etag": etag, "modified": modified, "size": int(length) if length.isdigit() else None}


def _known(url: str, path: Path) -> dict[str, Any] | None:
    """What was told when the partial file was begun; None without one, and for one of another address."""
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
