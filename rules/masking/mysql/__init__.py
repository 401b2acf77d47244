"""Masking for MySQL and MariaDB: lineage over their parse tree, maskers of their types, their messages."""
