"""Where one event is and what became of it, for `headrace explain`: above `inspection` and `dead_letters`.

copies       the records that have the id          jobs        what each job reads, from its document
windows      the windows that take an event        positions   how far each job is
story        outcome of a copy in a job            results     rows of a job's output that took it
table_rows   the row of a sink's table
"""
