"""Installs the library `hgn_jax`, the data set builders and the programs in `experiments`."""

import pathlib

from setuptools import find_packages, setup

_BEAM = "apache-beam>=2.77,<3"
_DOCS = ["latex2mathml>=3.77,<4", "mkdocs-material>=9.6,<10", "mkdocstrings[python]>=1.0,<2", "nbconvert>=7.16,<8"]
_README = pathlib.Path(__file__).parent / "README.md"

setup(
    name="hgn_jax",
    version="0.1.0",  # `hgn_jax.__version__` reads it; CITATION.cff and CHANGELOG.md must agree, which a test checks
    description="Hamiltonian Generative Networks in JAX: learning physics from video.",
    long_description=_README.read_text(encoding="utf-8") if _README.exists() else "",
    long_description_content_type="text/markdown",
    author="The hgn_jax authors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords="Hamiltonian mechanics, generative models, normalising flows, symplectic integrators, JAX",
    project_urls={"Paper": "https://arxiv.org/abs/1909.13789"},
    python_requires=">=3.11",
    # With an explicit root an editable install puts this directory itself on the path: new modules need no reinstall.
    package_dir={"": "."},
    packages=find_packages(include=["hgn_jax*", "data_builders*", "experiments*"]),
    package_data={
        "": ["README.md", "CITATIONS.bib", "TAGS.txt"],  # TFDS reads them beside each builder
        "hgn_jax": ["py.typed", "*.pyi", "*/*.pyi"],  # lazy_loader reads the public names in the stubs
        "hgn_jax.pretrained": ["models/*.json", "models/*.safetensors"],
        "experiments.explorer": ["explorer.html", "explorer.js"],
    },
    entry_points={
        "console_scripts": [
            "hgn = experiments.console:hgn",
            "hnn = experiments.console:hnn",
            "nhf = experiments.console:nhf",
            "hgn-data = experiments.console:hgn_data",
        ]
    },
    # Each range starts at the oldest version that the other packages accept and ends before the next one that may break
    # the project. The tests ran with the versions in requirements.lock.
    install_requires=[
        "absl-py>=2.3,<3",
        "array_record>=0.8,<0.9",  # the file format that needs no TensorFlow
        "av>=18.1,<19",  # films of every container
        "cattrs>=24.1,<27",
        "chex>=0.1.92,<0.2",
        "dm-haiku>=0.0.17,<0.1",
        "filelock>=4.2,<5",
        "imageio>=2.38,<3",
        "importlib_resources>=7.0,<8",  # imported by tensorflow-datasets, which does not declare it
        "jax>=0.10,<0.13",
        "jaxlib>=0.10,<0.13",
        "jmp>=0.0.4,<0.1",
        "lazy_loader>=0.4,<0.7",
        "matplotlib>=3.10,<4",
        "ml_collections>=1.1,<2",
        "numpy>=2.0,<3",
        "optax>=0.2.8,<0.3",
        "orbax-checkpoint>=0.12.8,<0.13",
        "pandas>=2.2,<4",  # splits the cells of text tables
        "pillow>=11.0,<14",
        "safetensors>=0.5,<0.9",  # the parameters of pretrained models
        "scikit-learn>=1.5,<2",  # its bundled tables
        "scipy>=1.14,<2",
        "tensorboardX>=2.6,<3",
        "tensorflow-datasets>=4.9.10,<5",
        "tqdm>=4.67,<5",
    ],
    extras_require={
        "benchmarks": ["diffrax>=0.7,<0.8", "distrax>=0.1.9,<0.2", "flowjax>=19.1,<20"],
        "docs": _DOCS,  # for the site of the documentation, which the tests build too
        "test": [
            *_DOCS,
            "hypothesis>=6.100,<7",
            "ipykernel>=6.29,<8",  # with nbclient it runs the notebooks
            "mypy>=2.0,<3",
            "nbclient>=0.10,<0.12",
            "playwright>=1.50,<2",
            "pytest>=8.4,<10",
            "pytest-xdist>=3.8,<4",
            "setuptools>=77,<90",  # a test builds the wheel
        ],
        "cuda": ["jax[cuda13]>=0.10,<0.13"],  # the same as cuda13
        "cuda12": ["jax[cuda12]>=0.10,<0.13"],  # for older drivers and cards
        "cuda13": ["jax[cuda13]>=0.10,<0.13"],
        "tpu": ["jax[tpu]>=0.10,<0.13"],
        "beam": [_BEAM],  # for --beam_runner
        # Imported by the stock `tfds build` command only. Building and reading need none of it.
        "tfds": [_BEAM, "mlcroissant>=1.1,<2", "tensorflow-cpu>=2.21,<3"],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Environment :: GPU :: NVIDIA CUDA",
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Physics",
        "Typing :: Typed",
    ],
)
