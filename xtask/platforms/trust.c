// The machine's trusted roots, as an administrator of Windows changes them: without the emulators' CAs, and with the one
// in a PEM file, where one is named.
#include <windows.h>
#include <wincrypt.h>
#include <stdio.h>

int main(int count, char **arguments)
{
    static char text[65536];
    static BYTE certificate[65536];
    DWORD size = sizeof certificate;
    PCCERT_CONTEXT old;
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0, CERT_SYSTEM_STORE_LOCAL_MACHINE, "ROOT");
    if (!store) return 1;
    while ((old = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_SUBJECT_STR_A, "emulator CA", NULL))) {
        if (!CertDeleteCertificateFromStore(old)) return 2;
    }
    if (count > 1) {
        FILE *file = fopen(arguments[1], "rb");
        if (!file) return 3;
        DWORD length = fread(text, 1, sizeof text - 1, file);
        if (!CryptStringToBinaryA(text, length, CRYPT_STRING_BASE64HEADER, certificate, &size, NULL, NULL)) return 4;
        if (!CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, certificate, size, CERT_STORE_ADD_NEW, NULL)) return 5;
    }
    return CertCloseStore(store, 0) ? 0 : 6;
}
