# The tool, the roots that TLS trusts and the licenses of what the tool holds, and
# nothing else. It needs one folder to write to: mount a volume at /data, writable for
# user 65532. The rest may be read-only.
#
# The digest is that of the index, for all systems. To renew it, with the tag:
#   docker buildx imagetools inspect golang:1.26 --format '{{.Manifest.Digest}}'
FROM golang:1.26.8@sha256:3c3e25a4da13fd0478eed2df1eb35a0e667094a7124d3993a6a1d30f71c17e79 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN .ci/notices > /THIRD-PARTY-NOTICES.txt && cp /THIRD-PARTY-NOTICES.txt cmd/cognito-reset/internal/manual/notices.txt
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w -buildid=' -o /cognito-reset ./cmd/cognito-reset

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /THIRD-PARTY-NOTICES.txt /
COPY --from=build /cognito-reset /usr/local/bin/
USER 65532:65532
WORKDIR /data
ENV TMPDIR=/data
ENTRYPOINT ["/usr/local/bin/cognito-reset"]
