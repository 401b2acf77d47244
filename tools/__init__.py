"""Scripts that make what is shipped, and that compare what is claimed with what servers do. No part of the installed package."""
