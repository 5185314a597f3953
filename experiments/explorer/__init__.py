"""A page that runs a trained model in the browser: `python -m experiments.explorer --workdir=RUN`.

`graph.py` turns functions of JAX into lists of operations, `explorer.js` runs them, `page.py` gathers what the page
shows.
"""
