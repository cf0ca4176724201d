#include "tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include <array>
#include <cstring>
#include <deque>
#include <optional>

#include "base/check.h"
#include "base/mutex.h"
#include "tls/openssl.h"

namespace gw {
namespace {

constexpr size_t kNameBytes = 16;
constexpr size_t kSecretBytes = 32;
// A key that writes no more reads for so many periods.
constexpr int kReadPeriods = 2;

struct Key {
  std::array<unsigned char, kNameBytes> name;
  std::array<unsigned char, kSecretBytes> cipher;
  std::array<unsigned char, kSecretBytes> mac;
  TimePoint made_at;
};

// What OpenSSL's callback answers.
enum : int { kFailed = -1, kUnknown = 0, kUsable = 1, kUsableRenew = 2 };

int ContextIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

class RotatingKeys final : public TicketKeys {
 public:
  RotatingKeys(const Clock& clock, Duration period) : clock_(clock), period_(period) {}

  ~RotatingKeys() override {
    const MutexLock lock(mutex_);
    for (Key& key : keys_) OPENSSL_cleanse(&key, sizeof(key));
  }

  void UseIn(ssl_ctx_st* context) override {
    CHECK(SSL_CTX_set_ex_data(context, ContextIndex(), this) == 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &RotatingKeys::OnTicket);
  }

 private:
  static int OnTicket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                      EVP_MAC_CTX* mac, int encrypts) {
    // Chosen by name or not, all contexts of the process have the same keys.
    auto* const keys =
        static_cast<RotatingKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ContextIndex()));
    if (keys == nullptr) return kFailed;
    return encrypts != 0 ? keys->Encrypt(name, iv, cipher, mac)
                         : keys->Decrypt(name, iv, cipher, mac, SSL_version(ssl) >= TLS1_3_VERSION);
  }

  int Encrypt(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
    const std::optional<Key> key = Newest();
    if (!key || RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return kFailed;
    std::memcpy(name, key->name.data(), kNameBytes);
    const bool ready =
        EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv) == 1 &&
        SetMac(*key, mac);
    return ready ? kUsable : kFailed;
  }

  int Decrypt(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac, bool used_once) {
    bool newest = false;
    const std::optional<Key> key = Find(name, &newest);
    if (!key) return kUnknown;  // a full handshake
    const bool ready = SetMac(*key, mac) && EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr,
                                                               key->cipher.data(), iv) == 1;
    if (!ready) return kFailed;
    // Clients use a ticket of TLS 1.3 once (RFC 8446 C.4): without another one, every second
    // connection would be a full handshake.
    return newest && !used_once ? kUsable : kUsableRenew;
  }

  static bool SetMac(const Key& key, EVP_MAC_CTX* mac) {
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
                                          const_cast<unsigned char*>(key.mac.data()), kSecretBytes),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
  }

  // The key that writes now. nullopt: the system has no random numbers.
  std::optional<Key> Newest() {
    const TimePoint now = clock_.Now();
    const MutexLock lock(mutex_);
    if (keys_.empty() || now - keys_.front().made_at >= period_) {
      Key key{};
      key.made_at = now;
      if (RAND_bytes(key.name.data(), kNameBytes) != 1 ||
          RAND_priv_bytes(key.cipher.data(), kSecretBytes) != 1 ||
          RAND_priv_bytes(key.mac.data(), kSecretBytes) != 1) {
        return std::nullopt;
      }
      keys_.push_front(key);
      Forget(now);
    }
    return keys_.front();
  }

  std::optional<Key> Find(const unsigned char* name, bool* newest) {
    const TimePoint now = clock_.Now();
    const MutexLock lock(mutex_);
    Forget(now);
    for (const Key& key : keys_) {
      if (std::memcmp(key.name.data(), name, kNameBytes) != 0) continue;
      *newest = &key == &keys_.front() && now - key.made_at < period_;
      return key;
    }
    return std::nullopt;
  }

  void Forget(TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!keys_.empty() && now - keys_.back().made_at >= (1 + kReadPeriods) * period_) {
      OPENSSL_cleanse(&keys_.back(), sizeof(Key));
      keys_.pop_back();
    }
  }

  const Clock& clock_;
  const Duration period_;
  Mutex mutex_;
  std::deque<Key> keys_ ABSL_GUARDED_BY(mutex_);  // the newest first
};

}  // namespace

std::unique_ptr<TicketKeys> TicketKeys::New(const Clock& clock, Duration period) {
  return std::make_unique<RotatingKeys>(clock, period);
}

}  // namespace gw
