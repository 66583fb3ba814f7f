# Stands for a client of a certificate authority: sh renew.sh HERE PYTHON LIB
set -eu
echo asked >>"$1/asked"
"$2" "$3/certificate.py" "$1/web.pem" 0 90
