# The operator's image: docker build --target operator --tag fin-operator:0.1.0 .
# The segments' image:  docker build --target segment --tag fin-segment:0.1.0 .
# One that measures:    docker build --target profile --tag fin-profile:0.1.0 .
FROM python:3.13-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# uv, the build backend and what each image needs: all checked against the hashes in the locks.
FROM base AS tools
WORKDIR /src
# The certificates of the image, so that a company's own can be mounted over them.
ENV UV_SYSTEM_CERTS=1
COPY requirements.lock ./
RUN python -m venv /opt/uv \
 && awk '/^[^ #]/ {locked_uv = /^uv==/} locked_uv' requirements.lock > uv.lock \
 && /opt/uv/bin/python -m pip install --no-cache-dir --require-hashes -r uv.lock \
 && python -m venv --without-pip /opt/fin

FROM tools AS wheel
COPY pyproject.toml README.md LICENSE ./
COPY operator/ operator/
RUN /opt/uv/bin/uv build --no-cache --wheel --build-constraints requirements.lock --require-hashes

FROM tools AS build-operator
COPY requirements-operator.lock ./
RUN /opt/uv/bin/uv pip install --python /opt/fin/bin/python --no-cache --compile-bytecode \
      --require-hashes -r requirements-operator.lock \
 # PuLP brings solvers for every system, libraries their tests; the Kubernetes client imports one
 # by one what is used of its hundreds of models.
 && cd /opt/fin/lib/python3*/site-packages \
 && rm -rf pulp/solverdir/cbc/osx pulp/solverdir/cbc/win \
 && find networkx numpy -type d -name tests -prune -exec rm -rf {} + \
 && find kubernetes -path '*/client/*/__pycache__' -prune -exec rm -rf {} +
COPY --from=wheel /src/dist /src/dist
RUN /opt/uv/bin/uv pip install --python /opt/fin/bin/python --no-cache --compile-bytecode \
      --no-deps dist/*.whl \
 && rm -f /opt/fin/.lock

FROM tools AS build-segment
RUN apt-get update && apt-get install --yes --no-install-recommends binutils
COPY requirements-segment.lock ./
RUN /opt/uv/bin/uv pip install --python /opt/fin/bin/python --no-cache --compile-bytecode \
      --require-hashes -r requirements-segment.lock \
 # What only planning needs, what ONNX Runtime converts networks with, its library for C (Python's
 # has all of it inside), libraries' tests, and symbols for debuggers.
 && cd /opt/fin/lib/python3*/site-packages \
 && rm -rf highspy networkx pulp onnxruntime/quantization onnxruntime/tools \
      onnxruntime/transformers onnxruntime/capi/libonnxruntime.so.* \
 && find numpy -type d -name tests -prune -exec rm -rf {} + \
 && strip --strip-debug ml_dtypes/*.so rapidjson*.so
COPY --from=wheel /src/dist /src/dist
RUN /opt/uv/bin/uv pip install --python /opt/fin/bin/python --no-cache --compile-bytecode \
      --no-deps dist/*.whl \
 && rm -f /opt/fin/.lock

FROM tools AS build-profile
COPY requirements-profile.lock ./
RUN /opt/uv/bin/uv pip install --python /opt/fin/bin/python --no-cache --compile-bytecode \
      --require-hashes -r requirements-profile.lock
COPY --from=wheel /src/dist /src/dist
RUN /opt/uv/bin/uv pip install --python /opt/fin/bin/python --no-cache --compile-bytecode \
      --no-deps dist/*.whl \
 && rm -f /opt/fin/.lock

FROM base AS operator
LABEL org.opencontainers.image.title="fin-operator" \
      org.opencontainers.image.description="Runs early-exit neural networks at the least energy" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build-operator /opt/fin /opt/fin
ENV PATH=/opt/fin/bin:$PATH
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
# Metrics; liveness and readiness.
EXPOSE 8080 8081
ENTRYPOINT ["fin"]
CMD ["run"]

FROM base AS segment
LABEL org.opencontainers.image.title="fin-segment" \
      org.opencontainers.image.description="Serves one segment of an early-exit neural network" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build-segment /opt/fin /opt/fin
ENV PATH=/opt/fin/bin:$PATH
USER 65532:65532
# HTTP, with metrics and probes; gRPC.
EXPOSE 8080 9000
ENTRYPOINT ["fin"]
CMD ["segment", "--config", "/etc/fin"]

FROM base AS profile
LABEL org.opencontainers.image.title="fin-profile" \
      org.opencontainers.image.description="Measures networks, nodes and links" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build-profile /opt/fin /opt/fin
ENV PATH=/opt/fin/bin:$PATH
USER 65532:65532
ENTRYPOINT ["fin"]
CMD ["profile", "node"]
