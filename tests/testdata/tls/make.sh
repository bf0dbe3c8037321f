#!/bin/sh
# Makes the certificates of the tests anew: a test authority and what it signed for servers and clients, good and bad.
# Every leaf but the weak ones has the key in key.pem.
set -eu
cd "$(dirname "$0")"
here=$PWD
made=$(mktemp -d)
trap 'rm -r "$made"' EXIT
# Valid from long ago, whatever the machine's clock says.
past=20200101000000Z
future=21200101000000Z

authority() { # authority FILE NAME
  : > "$made/$1.index"
  cat > "$made/$1.config" <<END
[ca]
default_ca = test
[test]
database = $made/$1.index
new_certs_dir = $made
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
certificate = $here/$1.pem
private_key = $made/$1.key
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[list]
authorityKeyIdentifier = keyid:always
END
  openssl ecparam -genkey -name prime256v1 -noout -out "$made/$1.key"
  sign_itself "$1" "$2" "$made/$1.config" authority "$made/$1.key"
}

sign_itself() { # sign_itself FILE NAME CONFIG EXTENSIONS KEY
  openssl req -new -key "$5" -subj "/CN=$2" -out "$made/own.csr"
  openssl ca -batch -notext -selfsign -config "$3" -extensions "$4" \
    -keyfile "$5" -startdate $past -enddate $future -in "$made/own.csr" \
    -out "$1.pem"
}

leaf() { # leaf FILE AUTHORITY NAME ALTERNATIVE_NAMES PURPOSES START END [KEY [DIGEST]]
  cat > "$made/extensions" <<END
[leaf]
subjectAltName = $4
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = $5
END
  openssl req -new -key "${8:-key.pem}" -subj "/CN=$3" -out "$made/leaf.csr"
  openssl ca -batch -notext -config "$made/$2.config" \
    -extfile "$made/extensions" -extensions leaf -md "${9:-sha256}" \
    -startdate "$6" -enddate "$7" -in "$made/leaf.csr" -out "$1.pem"
}

local="DNS:localhost,IP:127.0.0.1,IP:::1"
ada="DNS:ada.example,URI:spiffe://example.org/ada,email:ada@example.org"
both=serverAuth,clientAuth

openssl ecparam -genkey -name prime256v1 -noout -out key.pem
openssl genrsa -out weak_key.pem 1024
chmod 644 key.pem weak_key.pem
authority ca "Portolan test authority"
authority other_ca "Another test authority"

leaf cert ca localhost "$local" $both $past $future
leaf wildcard ca example.org "DNS:example.org,DNS:*.example.org" serverAuth \
  $past $future
leaf client ca ada "$ada" clientAuth $past $future
leaf expired ca localhost "$local" $both $past 20210101000000Z
leaf early ca localhost "$local" $both 21190101000000Z $future
leaf wrong_name ca other.example DNS:other.example $both $past $future
leaf stranger other_ca localhost "$local" $both $past $future
leaf revoked ca localhost "$local" $both $past $future
leaf weak ca localhost "$local" $both $past $future weak_key.pem
leaf sha1 ca localhost "$local" $both $past $future key.pem sha1
sed "/^\[authority\]/i [own]\nsubjectAltName = $local\nbasicConstraints = critical,CA:FALSE\nextendedKeyUsage = $both" \
  "$made/other_ca.config" > "$made/own.config"
sign_itself self_signed localhost "$made/own.config" own key.pem

openssl ca -config "$made/ca.config" -revoke revoked.pem
openssl ca -config "$made/ca.config" -gencrl -crlexts list \
  -crl_lastupdate $past -crl_nextupdate $future -out crl.pem
