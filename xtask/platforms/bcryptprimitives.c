// What Wine 8 lacks and the program needs. For tests only; the program itself is the one that ships.
#define _WIN32_WINNT 0x0601 // Windows 7: what Wine 8 knows of the structure below
#include <windows.h>
#include <ntsecapi.h>
#include <wincrypt.h>

// Wine 8 has no bcryptprimitives.dll, of which Rust's standard library wants this.
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size)
{
    return RtlGenRandom(data, size);
}

// Wine 8 knows this structure without the field that Windows 8 added at its end, and refuses the longer one.
static BOOL WINAPI create_engine(CERT_CHAIN_ENGINE_CONFIG *config, HCERTCHAINENGINE *engine)
{
    CERT_CHAIN_ENGINE_CONFIG known = *config;
    known.cbSize = sizeof known;
    return CertCreateCertificateChainEngine(&known, engine);
}

// Wine 8 does not know how to ignore that a certificate names no place to ask for its revocation, as Windows does and as
// the program asks for.
static BOOL WINAPI get_chain(HCERTCHAINENGINE engine, PCCERT_CONTEXT certificate, LPFILETIME time, HCERTSTORE store,
                             PCERT_CHAIN_PARA parameters, DWORD flags, LPVOID reserved, PCCERT_CHAIN_CONTEXT *chain)
{
    flags &= ~CERT_CHAIN_REVOCATION_CHECK_END_CERT;
    return CertGetCertificateChain(engine, certificate, time, store, parameters, flags, reserved, chain);
}

static void replace(const char *name, void *replacement)
{
    BYTE *module = (BYTE *)GetModuleHandle(NULL);
    void *function = (void *)GetProcAddress(GetModuleHandleA("crypt32.dll"), name);
    IMAGE_NT_HEADERS *headers = (IMAGE_NT_HEADERS *)(module + ((IMAGE_DOS_HEADER *)module)->e_lfanew);
    IMAGE_DATA_DIRECTORY *imports = &headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];
    IMAGE_IMPORT_DESCRIPTOR *dll = (IMAGE_IMPORT_DESCRIPTOR *)(module + imports->VirtualAddress);
    for (; dll->Name; dll++) {
        for (void **entry = (void **)(module + dll->FirstThunk); *entry; entry++) {
            DWORD before;
            if (*entry != function) continue;
            VirtualProtect(entry, sizeof *entry, PAGE_READWRITE, &before);
            *entry = replacement;
            VirtualProtect(entry, sizeof *entry, before, &before);
        }
    }
}

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved)
{
    if (reason == DLL_PROCESS_ATTACH) {
        replace("CertCreateCertificateChainEngine", (void *)create_engine);
        replace("CertGetCertificateChain", (void *)get_chain);
    }
    return TRUE;
}
