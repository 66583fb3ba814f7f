"""What goes on by itself, one file for each loop with `async def run(centre)`.

To add one: write the file, name it in `app.py`. A loop survives any error of the outside world,
says so in the log, and ends when it is cancelled.
"""
