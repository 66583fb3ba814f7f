"""The centre: takes in what hosts say, decides, and keeps the evidence. It cannot execute.

`app.py` wires everything; `engine.py` makes `flow.incident` durable; `incident_work.py` performs
what the flow asks for; `loops/` holds one file for each thing that goes on by itself; `api/` one
file for each resource. Belongs here: composition, durability, HTTP. Does not belong here: judgement
(stages), the order of events (flow), formats of outside systems (adapters).
"""
