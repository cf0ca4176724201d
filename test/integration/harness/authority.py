"""Certificates for tests, made by openssl(1)."""

import os
import ssl
import subprocess


class Authority:
    """An authority in a folder, and certificates of it."""

    def __init__(self, folder):
        self.folder = folder
        self.path = self.file("ca.pem")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", self.file("ca.key"), "-out", self.path,
                      "-subj", "/CN=Test CA", "-days", "30")

    def file(self, name):
        return os.path.join(self.folder, name)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)

    def issue(self, label, names="", key="ec", days=30):
        """The certificate and the key as text; files of that name are left in the folder.

        `names`: DNS names, or what openssl takes for others ("IP:127.0.0.1").
        """
        kind = (["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else [key])
        extensions = self.file(f"{label}.ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write("basicConstraints=CA:FALSE\n")
            if names:
                marked = [n if ":" in n else f"DNS:{n}" for n in names.split()]
                file.write(f"subjectAltName={','.join(marked)}\n")
        self._openssl("req", "-newkey", *kind, "-nodes", "-keyout", self.file(f"{label}.key"),
                      "-out", self.file(f"{label}.csr"), "-subj", f"/CN={label}")
        self._openssl("x509", "-req", "-in", self.file(f"{label}.csr"), "-CA", self.path,
                      "-CAkey", self.file("ca.key"), "-CAcreateserial", "-days", str(days),
                      "-extfile", extensions, "-out", self.file(f"{label}.crt"))
        return self.read(f"{label}.crt"), self.read(f"{label}.key")

    def read(self, name):
        with open(self.file(name), encoding="ascii") as file:
            return file.read()

    def server_context(self, label, names="", **options):
        """For a server that shows a new certificate."""
        self.issue(label, names, **options)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file(f"{label}.crt"), self.file(f"{label}.key"))
        return context
