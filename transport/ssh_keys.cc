#include "transport/ssh_keys.h"

#include "transport/ssh_handle.h"

#include <utility>

namespace pgwalship {
namespace {

constexpr const char* kHostKeyTypes =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,"
    "rsa-sha2-256";

Result<SshPublicKey> describe(ssh_key key) {
  SshPublicKey described{ssh_key_type_to_char(ssh_key_type(key)), base64(key), fingerprint(key)};
  if (described.base64.empty()) {
    return Error{Errc::kInvalid, "this key has no public half", ""};
  }
  return described;
}

}  // namespace

Result<std::string> make_private_key() {
  constexpr int kOneSize = 0;  // ed25519 has no other
  ssh_key raw = nullptr;
  if (ssh_pki_generate(SSH_KEYTYPE_ED25519, kOneSize, &raw) != SSH_OK) {
    return Error{Errc::kIo, "libssh cannot make an ed25519 key", ""};
  }
  const SshKey key = own(raw);
  char* text = nullptr;
  if (ssh_pki_export_privkey_base64(key.get(), nullptr, nullptr, nullptr, &text) != SSH_OK) {
    return Error{Errc::kIo, "libssh cannot write the ed25519 key that it made", ""};
  }
  return std::string(SshText(text, &ssh_string_free_char).get());
}

Result<SshPublicKey> public_key_of(const std::string& private_key) {
  ssh_key raw = nullptr;
  if (ssh_pki_import_privkey_base64(private_key.c_str(), nullptr, nullptr, nullptr, &raw) !=
      SSH_OK) {
    return Error{Errc::kInvalid, "it is not a private key, or it has a passphrase", ""};
  }
  return describe(own(raw).get());
}

Result<SshPublicKey> parse_public_key(const std::string& type, const std::string& base64) {
  ssh_key raw = nullptr;
  if (ssh_pki_import_pubkey_base64(base64.c_str(), ssh_key_type_from_name(type.c_str()), &raw) !=
      SSH_OK) {
    return Error{Errc::kInvalid, "it is not a public key", ""};
  }
  return describe(own(raw).get());
}

Result<SshPublicKey> fetch_host_key(SshSession::Options options) {
  options.known_hosts = "/dev/null";
  options.host_key_types = kHostKeyTypes;
  const SshHandle session{ssh_new(), &ssh_free};
  CHECK(session != nullptr);
  TRY(open_connection(session.get(), options));
  ssh_key raw = nullptr;
  if (ssh_get_server_publickey(session.get(), &raw) != SSH_OK) {
    return ssh_error(session.get(), options, "host key of");
  }
  return describe(own(raw).get());
}

}  // namespace pgwalship
