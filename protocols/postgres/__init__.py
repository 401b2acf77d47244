"""The PostgreSQL frontend/backend protocol, version 3 (Spec: PostgreSQL documentation, chapter 55)."""
