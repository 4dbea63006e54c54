"""The paper's experiments and open questions, one command each: `camvig reproduce NAME`."""
