"""PostgreSQL servers that we run ourselves: for the laboratory, the drill and the tests."""
