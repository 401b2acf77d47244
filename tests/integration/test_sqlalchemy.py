"""SQLAlchemy over psycopg and asyncpg: reflection, the ORM, batches, savepoints, streams."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, MetaData, create_engine, func, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from tests.integration.conftest import Route


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    books: Mapped[list[Book]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")


@pytest.fixture
def engine(route: Route) -> Iterator[Engine]:
    made = create_engine(route.dsn.replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def test_the_orm_stores_reads_changes_and_deletes(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add_all(
            [Author(name=f"author {n}", books=[Book(title=f"book {n}.{m}") for m in range(3)]) for n in range(50)]
        )
    with Session(engine) as session, session.begin():
        author = session.scalars(select(Author).where(Author.name == "author 7")).one()
        assert [book.title for book in author.books] == ["book 7.0", "book 7.1", "book 7.2"]
        author.books.pop()
        author.name = "renamed"
    with Session(engine) as session:
        counted = (
            select(Author.name, func.count(Book.id)).join(Book).group_by(Author.id).having(func.count(Book.id) < 3)
        )
        assert [tuple(row) for row in session.execute(counted)] == [("renamed", 2)]


def test_reflection_finds_what_was_created(engine: Engine) -> None:
    found = MetaData()
    found.reflect(engine)
    assert set(found.tables) == {"authors", "books"}
    assert [key.column.table.name for key in found.tables["books"].foreign_keys] == ["authors"]
    assert inspect(engine).get_unique_constraints("authors")[0]["column_names"] == ["name"]


def test_a_failed_flush_rolls_back_to_its_savepoint(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add(Author(name="one"))
        session.flush()
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(Author(name="one"))
            session.flush()
        session.add(Author(name="two"))
    with Session(engine) as session:
        assert session.scalars(select(Author.name).order_by(Author.name)).all() == ["one", "two"]


def test_a_stream_reads_by_server_cursor(engine: Engine) -> None:
    with engine.connect() as connection:
        streamed = connection.execution_options(stream_results=True, max_row_buffer=50)
        rows = streamed.execute(text("SELECT g FROM generate_series(1, 3000) AS g"))
        assert sum(row.g for row in rows) == 4_501_500


def test_isolation_levels_reach_the_server(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
        assert connection.scalar(text("SHOW transaction_isolation")) == "serializable"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"


def test_the_asynchronous_engine_over_asyncpg(route: Route) -> None:
    async def main() -> Any:
        engine = create_async_engine(
            route.dsn.replace("postgresql://", "postgresql+asyncpg://"), connect_args={"ssl": False}
        )
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            await connection.execute(insert(Author), [{"name": f"author {n}"} for n in range(500)])
        async with engine.connect() as connection:
            names = (await connection.scalars(select(Author.name).where(Author.name.like("author 49%")))).all()
        await engine.dispose()
        return sorted(names)

    assert asyncio.run(main()) == ["author 49", *(f"author {n}" for n in range(490, 500))]
