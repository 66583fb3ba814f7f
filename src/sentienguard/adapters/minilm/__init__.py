"""all-MiniLM-L6-v2 on NumPy: the embeddings that need no key and no network.

Constructed by the control plane's composition root and by `match eval`; offers ports.embedder.

    weights     find, check and open the files of the package that carries them
    wordpiece   text to pieces
    network     pieces to one vector
    embedder    the port

What does not belong: what is embedded and what similarity means (stages.decide.matching).
"""
