"""`make faults`: faults put into sound evidence by a seed, and what each program says of them."""
