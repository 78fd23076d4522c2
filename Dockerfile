# The platform in a container. docs/operations.md says how to use it, and that nobody has built it yet.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY fixieai fixieai
RUN python -m venv /opt/fixie && /opt/fixie/bin/pip install --no-cache-dir ".[postgres,s3]"

FROM python:3.13-slim
# The first process of a container has to bury those whose parents ended: deployed agents start programs.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --create-home fixie \
    && install --directory --owner=fixie --group=fixie --mode=0700 /data /blobs
COPY --from=build /opt/fixie /opt/fixie
ENV PATH=/opt/fixie/bin:$PATH \
    FIXIE_HOME=/data/home \
    PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME /data
EXPOSE 8180
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:8180/healthz', timeout=3)"]
ENTRYPOINT ["tini", "--"]
CMD ["fixie", "platform", "serve", "--host", "0.0.0.0"]
