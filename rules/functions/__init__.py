"""What the servers' own functions do: tables that are shipped, generated from running servers."""
