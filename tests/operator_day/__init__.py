"""An operator's day against a fresh `make run`: `python -m tests.operator_day`.

The first start, hundreds of customers through the provisioning API, their usage, their costs read back, the month before
closed, and every invoice's sum. All of it is compared, to the last digit and to the cent, with what is reckoned here from
the events and prices that were sent. Nothing of the product is imported: all goes through its addresses and commands.
"""
