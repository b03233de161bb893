"""Reflector's database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import dict_row
from psycopg.types.json import Json

from .settings import settings

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]


@asynccontextmanager
async def connect() -> AsyncIterator[Connection]:
    """A connection whose single statements commit by themselves; transactions are serializable."""
    url = settings().database_url.replace("+asyncpg", "")
    connection = await psycopg.AsyncConnection.connect(
        url, autocommit=True, row_factory=dict_row, options="-c timezone=UTC"
    )
    await connection.set_isolation_level(IsolationLevel.SERIALIZABLE)
    async with connection:
        yield connection


async def one(connection: Connection, query: str, *values: Any) -> Row | None:
    """The first row, if any."""
    cursor = await connection.execute(query, values)  # type: ignore[arg-type]
    return await cursor.fetchone()


async def insert(connection: Connection, table: str, row: Row) -> None:
    """Adds a row."""
    query = psycopg.sql.SQL("insert into {} ({}) values ({})").format(
        psycopg.sql.Identifier(table),
        psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, row)),
        psycopg.sql.SQL(", ").join(psycopg.sql.Placeholder() * len(row)),
    )
    await connection.execute(query, [_adapted(value) for value in row.values()])


async def update(connection: Connection, table: str, key: str, changes: Row) -> None:
    """Changes some columns of the row with this id."""
    query = psycopg.sql.SQL("update {} set {} where id = %s").format(
        psycopg.sql.Identifier(table),
        psycopg.sql.SQL(", ").join(
            psycopg.sql.SQL("{} = %s").format(psycopg.sql.Identifier(name))
            for name in changes
        ),
    )
    await connection.execute(
        query, [*(_adapted(value) for value in changes.values()), key]
    )


def _adapted(value: Any) -> Any:
    """Lists and objects are JSON, written as Python does by default."""
    return Json(value) if isinstance(value, (list, dict)) else value
