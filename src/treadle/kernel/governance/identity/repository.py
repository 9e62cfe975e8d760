"""The rows of accounts, roles and tokens."""

from __future__ import annotations

from treadle.ground.clock import from_micros
from treadle.kernel.governance.identity.records import AccessToken, User
from treadle.kernel.store import Reader, Row, Statements, Transaction

sql = Statements(__package__)


class AccountRows:
    """Accounts and their roles."""

    def is_any(self, reader: Reader) -> bool:
        """Whether anybody has an account."""
        return reader.find(sql.any_account) is not None

    def find(self, reader: Reader, name: str) -> User | None:
        """The account, or None."""
        row = reader.find(sql.find_account, {"name": name})
        return None if row is None else self._user(reader, (name, *row))

    def password(self, reader: Reader, name: str) -> str:
        """The stored password; empty where there is none, or no such account."""
        row = reader.find(sql.find_account, {"name": name})
        return "" if row is None else str(row[0])

    def all(self, reader: Reader) -> list[User]:
        """Every account, by name."""
        return [self._user(reader, row) for row in reader.all(sql.list_accounts)]

    def add(self, tx: Transaction, name: str, password: str, *, by: str, at: int) -> bool:
        """Adds an account; False when the name is taken."""
        return (
            tx.execute(sql.insert_account, {"name": name, "password": password, "created_by": by, "created_at": at}) > 0
        )

    def give(self, tx: Transaction, name: str, project: str, role: str) -> None:
        """Gives an account a role in a project."""
        tx.execute(sql.put_role, {"project": project, "account": name, "role": role})

    def remove(self, tx: Transaction, name: str) -> bool:
        """Removes an account with its roles and tokens; False when there is none."""
        tx.execute(sql.delete_tokens_of, {"account": name})
        tx.execute(sql.delete_roles, {"account": name})
        return tx.execute(sql.delete_account, {"name": name}) > 0

    def _user(self, reader: Reader, row: Row) -> User:
        name, password, created_by, created_at = row
        roles = {str(project): str(role) for project, role in reader.all(sql.roles_of, {"account": name})}
        at = from_micros(created_at)
        return User(name=name, roles=roles, has_password=bool(password), created_by=created_by, created_at=at)


class TokenRows:
    """Tokens."""

    def find(self, reader: Reader, digest: str) -> AccessToken | None:
        """The token whose text has this digest, or None."""
        row = reader.find(sql.find_token, {"digest": digest})
        return None if row is None else _token(row)

    def named(self, reader: Reader, token: str) -> AccessToken | None:
        """The token of this id, or None."""
        row = reader.find(sql.find_token_by_id, {"id": token})
        return None if row is None else _token(row)

    def all(self, reader: Reader) -> list[AccessToken]:
        """Every token, by user."""
        return [_token(row) for row in reader.all(sql.list_tokens)]

    def add(self, tx: Transaction, token: AccessToken, digest: str, *, at: int, until: int | None) -> None:
        """Adds a token."""
        values = {"digest": digest, "id": token.id, "account": token.user, "label": token.label}
        tx.execute(sql.insert_token, values | {"created_at": at, "expires_at": until})

    def remove(self, tx: Transaction, token: str) -> None:
        """Removes a token."""
        tx.execute(sql.delete_token, {"id": token})


def _token(row: Row) -> AccessToken:
    id, user, label, created_at, expires_at = row
    until = None if expires_at is None else from_micros(expires_at)
    return AccessToken(id=id, user=user, label=label, created_at=from_micros(created_at), expires_at=until)
