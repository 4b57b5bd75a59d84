"""A storage of Snakemake for tests: another folder, to and from which files are copied.

The public plugin `fs` does the same with rsync, which not every machine has.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from snakemake_interface_storage_plugins.io import IOCacheStorageInterface, Mtime, get_constant_prefix
from snakemake_interface_storage_plugins.storage_object import StorageObjectGlob, StorageObjectRead, StorageObjectWrite
from snakemake_interface_storage_plugins.storage_provider import (
    ExampleQuery,
    QueryType,
    StorageProviderBase,
    StorageQueryValidationResult,
)


class StorageProvider(StorageProviderBase):
    """Every path is a valid name."""

    @classmethod
    def example_queries(cls) -> list[ExampleQuery]:
        return [ExampleQuery(query="folder/file", type=QueryType.ANY, description="a path")]

    def rate_limiter_key(self, query: str, operation: Any) -> Any:
        return None

    def default_max_requests_per_second(self) -> float:
        return 0.0

    def use_rate_limiter(self) -> bool:
        return False

    @classmethod
    def is_valid_query(cls, query: str) -> StorageQueryValidationResult:
        return StorageQueryValidationResult(query=query, valid=True)


class StorageObject(StorageObjectRead, StorageObjectWrite, StorageObjectGlob):
    """One file or folder."""

    def __post_init__(self) -> None:
        self.place = Path(self.query)

    async def inventory(self, cache: IOCacheStorageInterface) -> None:
        key = self.cache_key()
        if key not in cache.exists_in_storage:
            cache.exists_in_storage[key] = self.exists()
            if self.exists():
                cache.mtime[key], cache.size[key] = Mtime(storage=self.mtime()), self.size()

    def get_inventory_parent(self) -> str | None:
        return None

    def local_suffix(self) -> str:
        return self.query.removeprefix("/")

    def cleanup(self) -> None:
        pass

    def exists(self) -> bool:
        return self.place.exists()

    def mtime(self) -> float:
        return self.place.stat().st_mtime

    def size(self) -> int:
        return self.place.stat().st_size

    def retrieve_object(self) -> None:
        _copy(self.place, Path(self.local_path()))

    def store_object(self) -> None:
        _copy(Path(self.local_path()), self.place)

    def remove(self) -> None:
        shutil.rmtree(self.place) if self.place.is_dir() else self.place.unlink()

    def list_candidate_matches(self) -> Iterable[str]:
        return map(str, Path(get_constant_prefix(self.query)).rglob("*"))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, dirs_exist_ok=True) if source.is_dir() else shutil.copy2(source, target)
