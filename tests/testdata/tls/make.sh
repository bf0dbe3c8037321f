#!/bin/sh
# Makes the certificates of the tests anew: a test authority, and a leaf for localhost that it signed.
set -eu
cd "$(dirname "$0")"
made=$(mktemp -d)
trap 'rm -r "$made"' EXIT
curve="-pkeyopt ec_paramgen_curve:P-256"
openssl req -x509 -newkey ec $curve -noenc -days 36500 \
  -subj "/CN=Portolan test authority" \
  -addext "basicConstraints=critical,CA:TRUE" \
  -addext "keyUsage=critical,keyCertSign" \
  -keyout "$made/ca.key" -out ca.pem
openssl req -newkey ec $curve -noenc -subj "/CN=localhost" \
  -keyout key.pem -out "$made/leaf.csr"
chmod 644 key.pem
touch "$made/index"
cat > "$made/config" <<END
[ca]
default_ca = test
[test]
database = $made/index
new_certs_dir = $made
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
END
# Valid from long ago, whatever the machine's clock says.
openssl ca -batch -notext -config "$made/config" -cert ca.pem \
  -keyfile "$made/ca.key" -startdate 20200101000000Z -enddate 21200101000000Z \
  -in "$made/leaf.csr" -out cert.pem
